import { Cron } from "croner";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { checkTimeZone } from "./calendar.js";
import { durationText } from "./duration.js";

/** When a policy runs. */
export type Schedule =
  /** At times of the calendar: five fields, in an IANA time zone. */
  | { kind: "cron"; expression: string; timeZone: string }
  /** Each so many milliseconds, counted from an anchor. */
  | { kind: "interval"; everyMs: number }
  /** After each change. Has no planned times. */
  | { kind: "continuous" };

/** Later times have no planned runs. The cron parser does not accept them. */
const lastMs = Date.UTC(9999, 11, 31);

/**
 * Throws REQUEST_INVALID unless a schedule can run. The message begins with the part of the field at
 * fault (`FIELD.cron`, `FIELD.time_zone`, `FIELD.interval`), which is also in the metadata.
 *
 * A cron expression has five fields (minute, hour, day of the month, month, day of the week). Names
 * of months and days, lists, ranges, steps, L (last), W (nearest weekday) and # (n-th weekday) are
 * accepted; seconds, years, ? and nicknames such as @daily are not. An expression must match a date
 * that exists. An interval is whole milliseconds, from a minute to 366 days.
 */
export function checkSchedule(schedule: Schedule, field: string): void {
  if (schedule.kind === "interval") checkInterval(schedule.everyMs, `${field}.interval`);
  if (schedule.kind !== "cron") return;
  checkTimeZone(schedule.timeZone, `${field}.time_zone`);
  const problem = cronProblem(schedule.expression);
  if (problem !== undefined)
    throw invalid(
      `${field}.cron`,
      `${problem}. Use five fields (minute, hour, day of month, month, day of week), for example "30 2 * * *" for every day at 02:30`,
    );
}

/**
 * Returns up to `count` planned times after `afterMs`, in ascending order; at most
 * limits.plannedRuns. An interval is planned at `anchorMs` plus each multiple of it, before the
 * anchor too. A continuous schedule has no planned times.
 *
 * Cron follows the clock of its zone. When daylight saving begins, a run whose time is skipped is
 * planned for the end of the gap. When it ends, a run at given times of day is planned once, at the
 * first occurrence, and a run with * or a step in its minutes or hours at both.
 */
export function nextRuns(
  schedule: Schedule,
  afterMs: number,
  count: number,
  anchorMs: number,
): number[] {
  const bounded = Math.min(count, limits.plannedRuns);
  switch (schedule.kind) {
    case "cron":
      if (afterMs >= lastMs) return [];
      return toCron(schedule.expression, schedule.timeZone)
        .nextRuns(bounded, new Date(afterMs))
        .map((date) => date.getTime());
    case "interval": {
      const { everyMs } = schedule;
      const first = anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs;
      return Array.from({ length: bounded }, (_, i) => first + i * everyMs);
    }
    case "continuous":
      return [];
  }
}

/**
 * Returns the newest planned time after `lastStartMs` and up to `nowMs`, or undefined if there is no
 * such time: the run to make up for after a pause. `anchorMs` is that of nextRuns.
 */
export function missedRun(
  schedule: Schedule,
  lastStartMs: number,
  nowMs: number,
  anchorMs: number,
): number | undefined {
  const newest = newestRun(schedule, nowMs, anchorMs);
  return newest !== undefined && newest > lastStartMs ? newest : undefined;
}

/** Returns the newest planned time up to `nowMs`. */
function newestRun(schedule: Schedule, nowMs: number, anchorMs: number): number | undefined {
  switch (schedule.kind) {
    case "cron": {
      // The parser looks for whole seconds before a time, and a run may be at this very second.
      const nextSecond = (Math.floor(Math.min(nowMs, lastMs) / 1000) + 1) * 1000;
      return toCron(schedule.expression, schedule.timeZone)
        .previousRuns(1, new Date(nextSecond))[0]
        ?.getTime();
    }
    case "interval":
      return anchorMs + Math.floor((nowMs - anchorMs) / schedule.everyMs) * schedule.everyMs;
    case "continuous":
      return undefined;
  }
}

function checkInterval(everyMs: number, field: string): void {
  const { policyIntervalMinMs, policyIntervalMaxMs } = limits;
  if (
    !Number.isSafeInteger(everyMs) ||
    everyMs < policyIntervalMinMs ||
    everyMs > policyIntervalMaxMs
  )
    throw invalid(
      field,
      `invalid interval of ${durationText(everyMs)}: must be ${durationText(policyIntervalMinMs)} to ${durationText(policyIntervalMaxMs)}, for example 6h`,
    );
}

/** Returns what is wrong with a cron expression, or undefined. */
function cronProblem(expression: string): string | undefined {
  if (expression.length > limits.cronExpressionChars)
    return `expression is longer than ${limits.cronExpressionChars} characters`;
  const shown = JSON.stringify(expression);
  const fields = expression.trim().split(/\s+/).filter(Boolean).length;
  if (fields !== 5) return `${shown} has ${fields} ${fields === 1 ? "field" : "fields"}, not 5`;
  // The parser accepts more, such as ? for the time at which it parses.
  const unknown = /[^\sA-Za-z0-9*,/#-]/u.exec(expression);
  if (unknown) return `${shown} contains ${JSON.stringify(unknown[0])}`;
  try {
    // All dates repeat within 400 years, so that any start is as good.
    if (toCron(expression, "UTC").nextRun(new Date(0)) !== null) return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "";
    return `${shown} is not a cron expression (${reason.replace(/\.$/, "")})`;
  }
  return `${shown} matches no date`;
}

/** Parses an expression without starting a timer. */
const toCron = (expression: string, timezone: string) =>
  new Cron(expression, {
    timezone,
    mode: "5-part",
    paused: true,
    // A list of times of day is treated like a single one: no run is lost when the clock changes.
    fixedTimeRule: "no-wildcard",
  });

const invalid = (field: string, problem: string) =>
  new HostError("REQUEST_INVALID", `${field}: ${problem}.`, { metadata: { field } });
