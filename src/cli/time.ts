import { HostError } from "../errors.js";

/** Times go up to here, as in the requests: microseconds since 1970. */
const greatest = 9_007_199_254_740_991n;
const units: Record<string, bigint> = {
  ms: 1_000n,
  s: 1_000_000n,
  m: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
  w: 604_800_000_000n,
};

const help =
  "write 16 digits of microseconds since 1970, a time like 2026-11-24T15:04:05.123456Z, or a span like 15m ago";

const invalid = (text: string, problem = "is no time") =>
  new HostError("REQUEST_INVALID", `${JSON.stringify(text)} ${problem}; ${help}.`);

/** A time of the command line in microseconds since 1970, exact: micros, RFC 3339, `now` or a span and `ago`. REQUEST_INVALID for others. */
export function parseTime(given: string, nowMicros: bigint): bigint {
  const text = given.trim();
  const time = /^\d{1,16}$/.test(text)
    ? parseMicros(text)
    : text.toLowerCase() === "now"
      ? nowMicros
      : (parseAgo(text, nowMicros) ?? parseRfc3339(text));
  if (time < 0n || time > greatest) throw invalid(given, "lies before 1970 or too far ahead");
  return time;
}

/** As parseTime, where a bare span (30d) also means so long ago. */
export function parseAge(given: string, nowMicros: bigint): bigint {
  const span = parseSpan(given);
  return parseTime(span === undefined ? given : (nowMicros - span).toString(), nowMicros);
}

/** Fewer digits are seconds or milliseconds by mistake: they would be a moment of January 1970. */
function parseMicros(text: string): bigint {
  if (text !== "0" && text.length < 16)
    throw invalid(text, `has ${text.length} digits, which microseconds of today have 16 of`);
  return BigInt(text);
}

function parseAgo(text: string, nowMicros: bigint): bigint | undefined {
  const match = /^(.+?)\s+ago$/i.exec(text);
  const span = match?.[1] === undefined ? undefined : parseSpan(match[1]);
  return span === undefined ? undefined : nowMicros - span;
}

/** 2h30m or 3d or 500ms, in microseconds; undefined for what is none. */
function parseSpan(given: string): bigint | undefined {
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
      ? invalid(text, "is no whole time: it takes a date, a time and a zone (Z or +01:00)")
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
  if (fraction.length > 6) throw invalid(text, "is finer than a microsecond");
  const milliseconds = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  // Date.UTC goes on counting where there is no 31st of a month or no 61st second.
  if (
    !new Date(milliseconds)
      .toISOString()
      .startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`)
  )
    throw invalid(text, "is no time of the calendar");
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59)
    throw invalid(text, "has no zone of this world");
  const offset =
    (BigInt(offsetHours) * 60n + BigInt(offsetMinutes)) * 60_000_000n * (sign === "-" ? -1n : 1n);
  return BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, "0")) - offset;
}

/** RFC 3339 in UTC with all microseconds, which parseTime reads back exactly. */
export function formatTime(micros: bigint): string {
  const seconds = new Date(Number(micros / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${(micros % 1_000_000n).toString().padStart(6, "0")}Z`;
}

export const nowMicros = (): bigint => BigInt(Date.now()) * 1000n;
