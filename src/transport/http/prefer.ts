import type { IncomingMessage } from "node:http";
import { limits } from "../../limits.js";

/** How long a client wants to wait for an operation (RFC 7240). */
export interface Preference {
  /** Maximum time to wait, in milliseconds; 0 to respond immediately. */
  waitMs: number;
  /** Value of the Preference-Applied header. */
  applied: string;
}

/** Parses the Prefer header. Returns undefined if it has no preference of this kind. */
export function preferenceOf(request: IncomingMessage): Preference | undefined {
  const header = request.headers["prefer"];
  const preferences = (Array.isArray(header) ? header.join(",") : (header ?? ""))
    .split(",")
    .map((one) => one.trim().toLowerCase());
  const seconds = preferences
    .map((one) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(one)?.[1])
    .find((one) => one !== undefined);
  if (seconds !== undefined)
    return {
      waitMs: Math.min(Number(seconds) * 1000, limits.operationWaitMs),
      applied: `wait=${seconds}`,
    };
  return preferences.includes("respond-async")
    ? { waitMs: 0, applied: "respond-async" }
    : undefined;
}

/** Returns the headers of a 202 response for a running operation: alternating names and values. */
export function acceptedHeaders(operation: string, applied: string): string[] {
  return ["location", `/v1/${operation}`, "retry-after", "1", "preference-applied", applied];
}
