import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * The calendar periods that contain a point in time. Two times are in the same period if their keys
 * are equal. Keys are ISO 8601.
 */
export interface Periods {
  /** With the offset from UTC, because an hour occurs twice when daylight saving ends: 2026-10-25T02+01:00. */
  hour: string;
  /** For example 2026-11-29. */
  day: string;
  /** ISO week, from Monday to Sunday. It belongs to the year of its Thursday: 2026-W53. */
  week: string;
  /** For example 2026-11. */
  month: string;
  /** For example 2026. */
  year: string;
}

const dayMs = 86_400_000;

/** Finds the calendar periods of points in time in one time zone. */
export class Calendar {
  /** Creating a formatter takes longer than thousands of uses of it. */
  readonly #format: Intl.DateTimeFormat;

  /** Takes a time zone that checkTimeZone accepts. */
  constructor(timeZone: string) {
    this.#format = formatterOf(timeZone);
  }

  /** Returns the periods of a time in milliseconds since 1970, from the year 1 to 9999. */
  periods(ms: number): Periods {
    // The text is "11/29/2026, 12:00:00". Formatting to parts takes four times as long.
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = this.#format
      .format(ms)
      .split(/\D+/)
      .map(Number);
    const midnight = utc(year, month, day);
    const local = midnight + ((hour * 60 + minute) * 60 + second) * 1000;
    const date = new Date(midnight).toISOString().slice(0, 10);
    return {
      hour: `${date}T${twoDigits(hour)}${offsetText(local - Math.floor(ms / 1000) * 1000)}`,
      day: date,
      week: isoWeek(midnight),
      month: date.slice(0, 7),
      year: date.slice(0, 4),
    };
  }
}

/**
 * Throws REQUEST_INVALID, with the field in its message and metadata, unless the text is the name of
 * an IANA time zone that this Node knows. Refuses offsets such as +02:00, which only later versions
 * of Node accept.
 */
export function checkTimeZone(timeZone: string, field: string): void {
  if (timeZone.length <= limits.timeZoneChars && /^[A-Za-z]/.test(timeZone)) {
    try {
      formatterOf(timeZone);
      return;
    } catch {
      // The message below says more than the RangeError.
    }
  }
  const shown = JSON.stringify(timeZone.slice(0, limits.timeZoneChars));
  throw new HostError(
    "REQUEST_INVALID",
    `${field}: unknown time zone ${shown}. Use a name of the IANA database, for example UTC or Europe/Berlin.`,
    { metadata: { field } },
  );
}

const formatterOf = (timeZone: string) =>
  new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });

/** Like Date.UTC, which takes the years 0 to 99 for 1900 to 1999. */
const utc = (year: number, month: number, day: number): number =>
  new Date(0).setUTCFullYear(year, month - 1, day);

/** Returns the ISO week of a day, given as its midnight in UTC. */
function isoWeek(midnight: number): string {
  const daysSinceMonday = (new Date(midnight).getUTCDay() + 6) % 7;
  const thursday = midnight + (3 - daysSinceMonday) * dayMs;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - utc(year, 1, 1)) / (7 * dayMs)) + 1;
  return `${String(year).padStart(4, "0")}-W${twoDigits(week)}`;
}

/** Formats an offset from UTC, with seconds if it has any, as those before 1900 do. */
function offsetText(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[2] === 0) parts.pop();
  return (ms < 0 ? "-" : "+") + parts.map(twoDigits).join(":");
}

const twoDigits = (value: number): string => String(value).padStart(2, "0");
