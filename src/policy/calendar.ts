/** A period of a calendar. Weeks are those of ISO 8601 and begin on Monday. */
export type Period = "hour" | "day" | "week" | "month" | "year";

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known) return known;
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    timeZoneName: "longOffset",
  });
  formatters.set(timeZone, formatter);
  return formatter;
}

/**
 * Returns a name for each period that contains a time in a time zone, such as `2026-11-29` and
 * `2026-W48`. Two times have the same name if they are in the same period. The two hours that a change
 * from daylight-saving time repeats differ, by their offset.
 */
export function periodsOf(timeMs: number, timeZone: string): Record<Period, string> {
  const parts = new Map(
    formatterOf(timeZone)
      .formatToParts(timeMs)
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? "";
  const year = part("year").padStart(4, "0");
  const month = `${year}-${part("month")}`;
  const day = `${month}-${part("day")}`;
  return {
    year,
    month,
    day,
    week: isoWeekOf(Number(year), Number(part("month")), Number(part("day"))),
    hour: `${day}T${part("hour")}${part("timeZoneName").replace("GMT", "")}`,
  };
}

/** The week belongs to the year of its Thursday. */
function isoWeekOf(year: number, month: number, day: number): string {
  const date = new Date(Date.UTC(year, month - 1, day));
  const weekday = (date.getUTCDay() + 6) % 7;
  date.setUTCDate(date.getUTCDate() - weekday + 3);
  const thursday = date.getTime();
  const weekYear = date.getUTCFullYear();
  const firstDay = Date.UTC(weekYear, 0, 1);
  const week = 1 + Math.floor((thursday - firstDay) / (7 * 86_400_000));
  return `${weekYear}-W${String(week).padStart(2, "0")}`;
}
