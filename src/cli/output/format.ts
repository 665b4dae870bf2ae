import { limits } from "../../limits.js";

const sizeUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Formats a number of bytes in decimal units (1 kB = 1000 B), for example 1.2 MB. */
export function formatBytes(count: bigint | number): string {
  let value = Number(count);
  let unit = 0;
  for (; value >= 999.95 && unit < sizeUnits.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${sizeUnits[unit]}`;
}

/**
 * Formats an integer with commas between thousands. Not with Intl, which loads slower than some
 * commands run.
 */
export const formatNumber = (count: bigint | number): string =>
  String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** Formats a count with its noun: 1 document, 2 documents. */
export const formatCount = (count: bigint | number, noun: string): string =>
  `${formatNumber(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;

/**
 * Formats a duration in microseconds by its two largest units: 2h 5m, 3d 4h, 1.2 s. Negative ones
 * count as 0.
 */
export function formatDuration(micros: bigint | number): string {
  const seconds = Math.max(0, Number(micros) / 1e6);
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const parts = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const units = ["d", "h", "m", "s"];
  const first = parts.findIndex((part) => part > 0);
  return [first, first + 1]
    .filter((i) => i < 4 && (i === first || parts[i] !== 0))
    .map((i) => `${parts[i]}${units[i]}`)
    .join(" ");
}

const isAhead = (micros: bigint, nowMicros: bigint) =>
  micros > nowMicros + BigInt(limits.clockSkewMs * 1000);

/**
 * Returns a warning if the last change of an index is ahead of the clock by more than
 * limits.clockSkewMs, otherwise "". Times are microseconds since 1970.
 */
export function clockWarning(
  link: string,
  positionMicros: bigint,
  nowMicros: bigint,
  formatTime: (micros: bigint) => string,
): string {
  if (!isAhead(positionMicros, nowMicros)) return "";
  return `Warning: the last change of ${link} is ${formatDuration(positionMicros - nowMicros)} ahead of the clock. New versions get times after it, so relative times ("now", "5m ago") precede them until ${formatTime(positionMicros)}. Check the clock and use exact times.`;
}

/** Formats how long ago a time was, in microseconds since 1970; 0 as "never". */
export function formatAge(micros: bigint, nowMicros: bigint): string {
  if (micros === 0n) return "never";
  if (micros <= nowMicros) return `${formatDuration(nowMicros - micros)} ago`;
  return isAhead(micros, nowMicros)
    ? `${formatDuration(micros - nowMicros)} ahead of the clock`
    : "just now";
}
