import { HostError } from "../../errors.js";

/** Which state of the past a request asks for; none: the present one. */
export interface Past {
  version?: number;
  atMicros?: number;
}

/** Reads documentVersion and timeSnapshotBoundaryMicros, one of them at most. Throws REQUEST_INVALID. */
export function readPast(parameters: Map<string, string>): Past {
  const version = parameters.get("documentVersion");
  const atMicros = readMoment(parameters);
  if (version === undefined) return atMicros === undefined ? {} : { atMicros };
  if (!/^\d{1,15}$/.test(version))
    throw new HostError("REQUEST_INVALID", "documentVersion must be a whole number from 0.");
  if (atMicros !== undefined)
    throw new HostError(
      "REQUEST_INVALID",
      "documentVersion and timeSnapshotBoundaryMicros cannot both be given.",
    );
  return { version: Number(version) };
}

/** A moment that is to come is the present. */
export function readMoment(parameters: Map<string, string>): number | undefined {
  const text = parameters.get("timeSnapshotBoundaryMicros");
  if (text === undefined) return undefined;
  if (!/^\d{1,19}$/.test(text)) {
    throw new HostError(
      "REQUEST_INVALID",
      "timeSnapshotBoundaryMicros must be a time in microseconds since 1970, a whole number from 0.",
    );
  }
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
