import { Cron } from "croner";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { durationText } from "./duration.js";

/** When a task runs. Times are in milliseconds since 1970. */
export type Schedule =
  | { kind: "cron"; /** Five fields. */ expression: string; /** IANA name. */ timeZone: string }
  | { kind: "interval"; everyMs: number }
  | { kind: "continuous" };

/** Throws REQUEST_INVALID, with the field in the metadata, for a schedule that never runs or cannot be read. */
export function checkSchedule(schedule: Schedule, field: string): void {
  if (schedule.kind === "interval") {
    const { everyMs } = schedule;
    if (everyMs < limits.policyIntervalMinMs || everyMs > limits.policyDurationMaxMs)
      throw invalid(
        `${field}.interval`,
        `must be between ${durationText(limits.policyIntervalMinMs)} and ${durationText(limits.policyDurationMaxMs)}, for example 6h.`,
      );
  }
  if (schedule.kind !== "cron") return;
  checkTimeZone(schedule.timeZone, `${field}.time_zone`);
  checkCron(schedule, `${field}.cron`);
}

function checkTimeZone(timeZone: string, field: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw invalid(
      field,
      `unknown time zone ${JSON.stringify(timeZone.slice(0, 64))}. Use an IANA name, for example Europe/Berlin or UTC.`,
    );
  }
}

function checkCron(schedule: Schedule & { kind: "cron" }, field: string): void {
  const { expression } = schedule;
  const example = "for example 0 3 * * * for every day at 03:00";
  const shown = JSON.stringify(expression.slice(0, 64));
  if (expression.length > limits.cronChars || expression.trim().split(/\s+/).length !== 5)
    throw invalid(
      field,
      `${shown} must have five fields: minute, hour, day of month, month, day of week; ${example}.`,
    );
  let next: Date | null;
  try {
    next = openCron(schedule).nextRun(new Date("2024-01-01T00:00:00Z"));
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "";
    throw invalid(field, `cannot read ${shown}: ${why.slice(0, 200)} Use five fields, ${example}.`);
  }
  if (next === null) throw invalid(field, `${shown} never matches a date.`);
}

function invalid(field: string, problem: string): HostError {
  return new HostError("REQUEST_INVALID", `${field}: ${problem}`, { metadata: { field } });
}

/** Not started: used to calculate times only. */
function openCron({ expression, timeZone }: Schedule & { kind: "cron" }): Cron {
  return new Cron(expression, { timezone: timeZone, paused: true, mode: "5-part" });
}

/**
 * Returns the next planned times, after `afterMs`. An interval counts from `anchorMs`. A continuous
 * schedule has none.
 */
export function nextRuns(
  schedule: Schedule,
  afterMs: number,
  count: number,
  anchorMs: number,
): number[] {
  switch (schedule.kind) {
    case "cron":
      return openCron(schedule)
        .nextRuns(count, new Date(afterMs))
        .map((date) => date.getTime());
    case "interval": {
      const { everyMs } = schedule;
      const first = anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs;
      return Array.from({ length: count }, (_, i) => first + i * everyMs);
    }
    case "continuous":
      return [];
  }
}

/**
 * Returns the newest planned time after `lastMs` and not after `nowMs`: the run that was missed if
 * `lastMs` was the last one. Undefined: none was missed.
 */
export function missedRun(
  schedule: Schedule,
  lastMs: number,
  nowMs: number,
  anchorMs: number,
): number | undefined {
  if (nowMs <= lastMs) return undefined;
  switch (schedule.kind) {
    case "cron": {
      // Times before the reference are wanted, and the reference itself counts.
      const [newest] = openCron(schedule).previousRuns(1, new Date(nowMs + 1));
      const ms = newest?.getTime();
      return ms !== undefined && ms > lastMs ? ms : undefined;
    }
    case "interval": {
      const { everyMs } = schedule;
      const ms = anchorMs + Math.floor((nowMs - anchorMs) / everyMs) * everyMs;
      return ms > lastMs && ms > anchorMs ? ms : undefined;
    }
    case "continuous":
      return undefined;
  }
}
