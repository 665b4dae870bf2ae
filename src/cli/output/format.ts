import { limits } from "../../limits.js";
import { formatTime } from "../time.js";

/** Figures as people read them. Exact ones are in --json. */

const sizes = ["B", "kB", "MB", "GB", "TB", "PB"];

/** In powers of 1000, as disks are sold. */
export function formatBytes(formatCount: bigint | number): string {
  let value = Number(formatCount);
  let unit = 0;
  for (; value >= 999.95 && unit < sizes.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${sizes[unit]}`;
}

/** Thousands apart; by hand, since what knows all languages takes longer to load than some commands run. */
export const formatNumber = (count: bigint | number): string =>
  String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** 1 document, 2 documents. */
export const count = (many: bigint | number, what: string): string =>
  `${formatNumber(many)} ${what}${Number(many) === 1 ? "" : "s"}`;

/** A span of microseconds by its two greatest parts: 2h 5m, 3d 4h, 1.2 s. */
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
  const names = ["d", "h", "m", "s"];
  const first = parts.findIndex((part) => part > 0);
  return [first, first + 1]
    .filter((at) => at < 4 && (at === first || parts[at] !== 0))
    .map((at) => `${parts[at]}${names[at]}`)
    .join(" ");
}

const isAhead = (micros: bigint, nowMicros: bigint) =>
  micros > nowMicros + BigInt(limits.clockSkewMs * 1000);

/** What it means that the last change of an index is ahead of the clock; nothing where it is not. */
export function clockWarning(link: string, positionMicros: bigint, nowMicros: bigint): string {
  if (!isAhead(positionMicros, nowMicros)) return "";
  return `Warning: the log of ${link} is ${formatDuration(positionMicros - nowMicros)} ahead of the clock. New versions get times above its last one, so "now" and "5m ago" mean a time before them, until ${formatTime(positionMicros)}. Check the clock; name exact times.`;
}

/** How long ago a time was. */
export function formatAge(micros: bigint, nowMicros: bigint): string {
  if (micros === 0n) return "never";
  if (micros <= nowMicros) return `${formatDuration(nowMicros - micros)} ago`;
  return isAhead(micros, nowMicros)
    ? `${formatDuration(micros - nowMicros)} ahead of the clock`
    : "just now";
}

/** A time that can be typed again, in both its forms. */
export const moment = (micros: bigint): string =>
  micros === 0n ? "none" : `${formatTime(micros)} (${micros})`;
