import type { PolicyScheduleJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { counted } from "./format.js";

const units: Readonly<Record<string, string>> = {
  ms: "millisecond",
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  y: "year",
};

/** A duration of the API in words: "1 day 2 hours" for 1d2h. */
export function durationWords(text: string): string {
  const parts = [...text.matchAll(/(\d+)(ms|[smhdwy])/g)];
  const words = parts.map(([, size, unit = ""]) => counted(Number(size), units[unit] ?? unit));
  return words.join(" ");
}

const every = (words: string) => `every ${words.replace(/^1 /, "")}`;

/** When a schedule runs, in words. Times of the calendar are in the zone of the schedule. */
export function scheduleWords({ cron, interval, continuous }: PolicyScheduleJson = {}): string {
  if (continuous) return "after each write";
  if (interval !== undefined) return every(durationWords(interval));
  return cronWords(cron ?? "") ?? "at the times of the cron expression";
}

/** Undefined for expressions that would take more words than they have fields. */
function cronWords(expression: string): string | undefined {
  const [minute = "", hour = "", day = "", month = "", weekday = "", ...more] = expression
    .trim()
    .split(/\s+/);
  if (month !== "*" || more.length > 0) return undefined;
  const days = dayWords(day, weekday);
  if (days === undefined) return undefined;
  const minutes = numbers(minute, 59);
  const hours = numbers(hour, 23);
  const [only] = minutes ?? [];
  if (hours && minutes?.length === 1)
    return `${days} at ${list(hours.map((one) => `${pad(one)}:${pad(only ?? 0)}`))}`;
  const when = (words: string | undefined) =>
    words && (days === "every day" ? words : `${words}, ${days}`);
  const past = only === 0 ? "" : ` at minute ${only}`;
  if (hour === "*" && minutes?.length === 1) return when(`every hour${past}`);
  const hourStep = stepOf(hour, 24);
  if (hourStep !== undefined && minutes?.length === 1)
    return when(`${every(counted(hourStep, "hour"))}${past}`);
  const minuteStep = minute === "*" ? 1 : stepOf(minute, 60);
  if (hour === "*" && minuteStep !== undefined) return when(every(counted(minuteStep, "minute")));
  return undefined;
}

const pad = (value: number) => String(value).padStart(2, "0");

const names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

function dayWords(day: string, weekday: string): string | undefined {
  if (day === "*" && weekday === "*") return "every day";
  if (weekday === "*") {
    const days = numbers(day, 31);
    return days && `on day ${list(days.map(String))} of each month`;
  }
  if (day !== "*") return undefined;
  const asNumbers = weekday.replace(/[a-z]{3}/gi, (name) =>
    String(names.findIndex((one) => one.slice(0, 3).toLowerCase() === name.toLowerCase())),
  );
  const range = /^(\d)-(\d)$/.exec(asNumbers);
  if (range) return `every day from ${nameOfDay(range[1])} to ${nameOfDay(range[2])}`;
  const days = numbers(asNumbers, 7);
  return days && `every ${list(days.map(nameOfDay))}`;
}

/** Sunday is 0 and 7. */
const nameOfDay = (day: number | string | undefined) => names[Number(day) % 7] ?? "";

/** "3" or "3,15" as numbers; undefined for everything else. */
function numbers(field: string, most: number): number[] | undefined {
  if (!/^\d+(,\d+)*$/.test(field)) return undefined;
  const found = field.split(",").map(Number);
  return found.every((one) => one <= most) ? found : undefined;
}

/** The step of a field, if it divides what the field counts: otherwise the last one is shorter. */
function stepOf(field: string, whole: number): number | undefined {
  const step = Number(/^\*\/(\d+)$/.exec(field)?.[1] ?? 0);
  return step > 0 && whole % step === 0 ? step : undefined;
}

const list = (words: string[]) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
