import { HostError } from "../errors.js";
import { limits } from "../limits.js";

const second = 1000;
const day = 86_400 * second;

/** Units in descending order, in milliseconds. A year has 365 days: a duration has no calendar. */
const units: readonly (readonly [unit: string, ms: number])[] = [
  ["y", 365 * day],
  ["w", 7 * day],
  ["d", day],
  ["h", 3600 * second],
  ["m", 60 * second],
  ["s", second],
  ["ms", 1],
];

/**
 * Parses a duration such as 90s, 15m, 36h, 35d, 8w, 1y or 1d12h to milliseconds. A unit (y, w, d, h,
 * m for minutes, s, ms) appears at most once, larger units first. A year has 365 days.
 *
 * Throws REQUEST_INVALID, with the field in its message and metadata, if the text is malformed or
 * longer than 100 years.
 */
export function parseDuration(text: string, field: string): number {
  const pattern = /^(?:\d{1,12}(?:ms|[ywdhms]))+$/;
  if (text.length > limits.durationChars) throw invalid(field, "duration is too long");
  if (!pattern.test(text)) throw invalid(field, `invalid duration ${JSON.stringify(text)}`);
  let sum = 0;
  let last = -1;
  for (const [, count = "", unit] of text.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    const index = units.findIndex(([name]) => name === unit);
    if (index <= last)
      throw invalid(
        field,
        `invalid duration ${JSON.stringify(text)}: each unit may appear once, larger units first`,
      );
    last = index;
    sum += Number(count) * (units[index]?.[1] ?? 0);
  }
  if (sum > limits.durationMaxMs)
    throw invalid(field, `duration ${JSON.stringify(text)} is longer than 100 years`);
  return sum;
}

/**
 * Formats a duration in whole milliseconds, 0 or more, as text that parseDuration accepts. Uses
 * years only for a whole number of years, and no weeks: 35 days are 35d, not 5w.
 */
export function durationText(ms: number): string {
  let rest = ms;
  let text = "";
  for (const [unit, size] of units) {
    if (unit === "w" || rest < size || (unit === "y" && rest % size !== 0)) continue;
    text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text === "" ? "0s" : text;
}

const invalid = (field: string, problem: string) =>
  new HostError(
    "REQUEST_INVALID",
    `${field}: ${problem}. Use a number with a unit, for example 90s, 15m (minutes), 36h, 35d, 8w, 1y or 1d12h.`,
    { metadata: { field } },
  );
