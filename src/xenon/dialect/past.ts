import { HostError } from "../../errors.js";

/** The past state that a request selects; empty for the current state. */
export interface Past {
  version?: number;
  atMicros?: number;
}

/**
 * Parses documentVersion and timeSnapshotBoundaryMicros, of which at most one may be given. Throws
 * REQUEST_INVALID.
 */
export function readPast(parameters: Map<string, string>): Past {
  const version = parameters.get("documentVersion");
  const atMicros = readPointInTime(parameters);
  if (version === undefined) return atMicros === undefined ? {} : { atMicros };
  if (!/^\d{1,15}$/.test(version))
    throw new HostError("REQUEST_INVALID", "documentVersion must be a non-negative integer.");
  if (atMicros !== undefined)
    throw new HostError(
      "REQUEST_INVALID",
      "documentVersion and timeSnapshotBoundaryMicros cannot both be given.",
    );
  return { version: Number(version) };
}

/** Parses timeSnapshotBoundaryMicros. A time in the future selects the current state. */
export function readPointInTime(parameters: Map<string, string>): number | undefined {
  const text = parameters.get("timeSnapshotBoundaryMicros");
  if (text === undefined) return undefined;
  if (!/^\d{1,19}$/.test(text)) {
    throw new HostError(
      "REQUEST_INVALID",
      "timeSnapshotBoundaryMicros must be a non-negative integer of microseconds since 1970.",
    );
  }
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
