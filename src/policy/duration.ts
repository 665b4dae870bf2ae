import { HostError } from "../errors.js";
import { limits } from "../limits.js";

const unitMs = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
} as const;

/**
 * Parses a duration such as 90s, 15m, 36h, 35d, 8w, 1y or 1d12h to milliseconds; a year has 365 days.
 * Throws REQUEST_INVALID with the field in the metadata, also for 0 and for more than
 * limits.policyDurationMaxMs.
 */
export function parseDuration(text: string, field: string): number {
  const parts = /^(?:\d{1,9}[smhdwy]){1,6}$/.test(text)
    ? [...text.matchAll(/(\d+)([smhdwy])/g)]
    : [];
  const ms = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs],
    0,
  );
  if (ms > 0 && ms <= limits.policyDurationMaxMs) return ms;
  throw new HostError(
    "REQUEST_INVALID",
    `${field}: invalid duration ${JSON.stringify(text.slice(0, 40))}. Use a number with a unit, for example 90s, 15m, 36h, 35d, 8w or 1y; at most ${durationText(limits.policyDurationMaxMs)}.`,
    { metadata: { field } },
  );
}

/** Formats milliseconds as parseDuration reads them, in the largest unit up to days that is exact; whole seconds. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000) * 1000;
  for (const unit of ["d", "h", "m"] as const)
    if (seconds > 0 && seconds % unitMs[unit] === 0) return `${seconds / unitMs[unit]}${unit}`;
  return `${seconds / 1000}s`;
}
