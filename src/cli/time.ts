import { formatTime } from "../io/time.js";
import { HostError } from "../errors.js";

/** Latest time that requests accept, in microseconds since 1970. */
const maxTime = 9_007_199_254_740_991n;
const units: Record<string, bigint> = {
  ms: 1_000n,
  s: 1_000_000n,
  m: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
  w: 604_800_000_000n,
};

const help =
  "Use RFC 3339 (2026-11-24T15:04:05.123456Z), microseconds since 1970 (16 digits), now, or a relative time (15m ago)";

const invalid = (text: string, problem?: string) =>
  new HostError(
    "REQUEST_INVALID",
    `Invalid time ${JSON.stringify(text)}${problem === undefined ? "" : `: ${problem}`}. ${help}.`,
  );

/**
 * Parses a time from the command line: RFC 3339, microseconds since 1970, `now`, or a duration
 * followed by `ago`. Returns exact microseconds since 1970. Throws REQUEST_INVALID if it is
 * malformed or out of range.
 */
export function parseTime(given: string, nowMicros: bigint): bigint {
  const text = given.trim();
  const time = /^\d{1,16}$/.test(text)
    ? parseMicros(text)
    : text.toLowerCase() === "now"
      ? nowMicros
      : (parseAgo(text, nowMicros) ?? parseRfc3339(text));
  if (time < 0n || time > maxTime) throw invalid(given, "before 1970 or too far in the future");
  return time;
}

/** Parses a time like parseTime, and also a bare duration: 30d means 30 days ago. */
export function parseAge(given: string, nowMicros: bigint): bigint {
  const duration = parseDuration(given);
  return parseTime(duration === undefined ? given : (nowMicros - duration).toString(), nowMicros);
}

/** Parses a time like parseTime, and also a bare duration: 30d means in 30 days. */
export function parseUntil(given: string, nowMicros: bigint): bigint {
  const duration = parseDuration(given);
  try {
    return parseTime(duration === undefined ? given : (nowMicros + duration).toString(), nowMicros);
  } catch (cause) {
    throw new HostError(
      "REQUEST_INVALID",
      `Invalid time ${JSON.stringify(given)}. Use a duration from now (30d, 12h) or RFC 3339 (2026-11-24T15:04:05Z), at most until the year 2255.`,
      { cause },
    );
  }
}

/**
 * Rejects fewer than 16 digits: they are most likely seconds or milliseconds, and would mean
 * January 1970.
 */
function parseMicros(text: string): bigint {
  if (text !== "0" && text.length < 16)
    throw invalid(text, `microseconds have 16 digits, not ${text.length}`);
  return BigInt(text);
}

function parseAgo(text: string, nowMicros: bigint): bigint | undefined {
  const match = /^(.+?)\s+ago$/i.exec(text);
  const duration = match?.[1] === undefined ? undefined : parseDuration(match[1]);
  return duration === undefined ? undefined : nowMicros - duration;
}

/**
 * Parses a duration such as 2h30m, 3d or 500ms to microseconds; returns undefined if it is
 * malformed.
 */
function parseDuration(given: string): bigint | undefined {
  const text = given.replace(/\s+/g, "");
  if (!/^(\d{1,12}(ms|[smhdw]))+$/.test(text)) return undefined;
  let sum = 0n;
  for (const [, count = "0", unit = "s"] of text.matchAll(/(\d+)(ms|[smhdw])/g))
    sum += BigInt(count) * units[unit]!;
  return sum;
}

function parseRfc3339(text: string): bigint {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))$/.exec(
      text,
    );
  if (!match) {
    throw /^\d{4}-\d\d-\d\d/.test(text)
      ? invalid(text, "a date, a time and a time zone (Z or +01:00) are required")
      : invalid(text);
  }
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = "",
    ,
    sign,
    offsetHours = "0",
    offsetMinutes = "0",
  ] = match;
  if (fraction.length > 6) throw invalid(text, "finer than a microsecond");
  const milliseconds = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  // Date.UTC accepts values out of range and carries them over, for example February 30 to March 2.
  if (
    !new Date(milliseconds)
      .toISOString()
      .startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`)
  )
    throw invalid(text, "no such date or time of day");
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59)
    throw invalid(text, "time zone out of range");
  const offset =
    (BigInt(offsetHours) * 60n + BigInt(offsetMinutes)) * 60_000_000n * (sign === "-" ? -1n : 1n);
  return BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, "0")) - offset;
}

/**
 * Returns a function that formats microseconds since 1970 as RFC 3339, or unchanged if `asMicros`;
 * 0 as "none".
 */
export const timeFormatter =
  (asMicros: boolean) =>
  (micros: bigint): string =>
    micros === 0n ? "none" : asMicros ? micros.toString() : formatTime(micros);

/** The current time in microseconds since 1970, with the millisecond precision of Date.now. */
export const nowMicros = (): bigint => BigInt(Date.now()) * 1000n;
