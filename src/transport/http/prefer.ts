import type { IncomingMessage } from "node:http";
import { limits } from "../../limits.js";

/** How long a client wants to wait for work that takes long (RFC 7240). */
export interface Preference {
  /** It wants its answer after so many milliseconds at the latest; 0: at once. */
  waitMs: number;
  /** What it is told that was done of what it asked for. */
  applied: string;
}

/** Undefined: the client says nothing of it. */
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

/** The headers of an answer to work that goes on: names and values in turn. */
export function acceptedHeaders(operation: string, applied: string): string[] {
  return ["location", `/v1/${operation}`, "retry-after", "1", "preference-applied", applied];
}
