import { localTime } from "./format.js";

/**
 * Reads a time that a person typed: a day, a time of today or both, in this browser's zone or with a zone at its end; or
 * microseconds since 1970. Undefined for anything else, also for days and times that do not exist.
 */
export function parseTime(text: string): number | undefined {
  const given = text.trim();
  if (/^\d{16}$/.test(given)) return Number(given);
  const found =
    /^(?:(\d{4}-\d{2}-\d{2})(?:[T ]+|$))?(?:(\d{1,2}:\d{2})(:\d{2})?(\.\d{1,6})?\s*(Z|[+-]\d{2}:\d{2})?)?$/i.exec(
      given,
    );
  const [, dayGiven, clock = "00:00", seconds = ":00", fraction = "", zone = ""] = found ?? [];
  if (!found || given === "") return undefined;
  const day = dayGiven ?? localTime(Date.now() * 1000).slice(0, 10);
  const time = `${clock.padStart(5, "0")}${seconds}`;
  const millis = Date.parse(`${day}T${time}${zone}`);
  // Without its zone, or in this browser's: 30 February becomes a day of March, and a time that a clock jumps over another.
  const isThere =
    zone === ""
      ? localTime(millis * 1000).startsWith(`${day} ${time}`)
      : utcOf(day, time).startsWith(`${day}T${time}`);
  if (Number.isNaN(millis) || !isThere) return undefined;
  return millis * 1000 + Number(fraction.slice(1).padEnd(6, "0"));
}

/** A day and a time as if they were in UTC, where each time is there. Empty if the day or the time is none. */
function utcOf(day: string, time: string): string {
  const millis = Date.parse(`${day}T${time}Z`);
  return Number.isNaN(millis) ? "" : new Date(millis).toISOString();
}
