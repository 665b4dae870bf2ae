import { limits } from "../limits.js";
import { missedRun, nextRuns, type Schedule } from "./schedule.js";

/** Clock and timers of a Scheduler. */
export interface SchedulerClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls back once after a time. */
  setTimer(callback: () => void, ms: number): { clear(): void };
}

/** When a task runs. */
export interface ScheduledTask {
  schedule: Schedule;
  /** Longest random delay of a run. */
  jitterMs: number;
  /** From where intervals are counted. */
  anchorMs: number;
  /** Planned time of the last run. Default: the task never ran, and nothing was missed. */
  lastDueMs?: number | undefined;
}

interface Entry extends ScheduledTask {
  /** Planned time of the next run. */
  dueMs: number | undefined;
  /** With the delay. */
  startMs: number;
  retryMs: number | undefined;
  lastDueMs: number;
}

/** Options of Scheduler. */
export interface SchedulerOptions {
  clock: SchedulerClock;
  /** Returns a number from 0 to below 1. */
  random(): number;
  /** Called when a task is due. `cause`: by its plan, by retryIn, or since its time was missed. */
  onDue(name: string, dueMs: number, cause: "SCHEDULED" | "RETRY" | "MISSED"): void;
}

/**
 * Starts tasks at their planned times, with one timer for all. The clock is read at least every
 * limits.schedulerTickMs, so that jumps are noticed: after a jump over several planned times, a task runs
 * once; after a jump back, no planned time runs twice.
 */
export class Scheduler {
  private readonly entries = new Map<string, Entry>();
  private timer: { clear(): void } | undefined;
  private lastNowMs: number;
  private closed = false;

  constructor(private readonly options: SchedulerOptions) {
    this.lastNowMs = options.clock.nowMs();
  }

  /** Adds or replaces a task. A run that was missed since `lastDueMs` is made up once. */
  set(name: string, task: ScheduledTask): void {
    const nowMs = this.options.clock.nowMs();
    const { schedule, anchorMs, lastDueMs } = task;
    const missed =
      lastDueMs === undefined ? undefined : missedRun(schedule, lastDueMs, nowMs, anchorMs);
    const entry: Entry = {
      ...task,
      lastDueMs: missed ?? lastDueMs ?? nowMs,
      dueMs: undefined,
      startMs: Infinity,
      retryMs: undefined,
    };
    this.entries.set(name, entry);
    this.plan(entry, nowMs);
    // The caller may not have finished its own setup.
    if (missed !== undefined)
      queueMicrotask(() => {
        if (this.entries.get(name) === entry) this.options.onDue(name, missed, "MISSED");
      });
    this.arm();
  }

  /** Starts a task once more after a time, unless its next planned time is earlier. */
  retryIn(name: string, ms: number): void {
    const entry = this.entries.get(name);
    if (!entry) return;
    entry.retryMs = this.options.clock.nowMs() + ms;
    this.arm();
  }

  delete(name: string): void {
    this.entries.delete(name);
    this.arm();
  }

  /** Time of the next start without its random delay: the planned one, or that of a retry if it is earlier. */
  nextRunMs(name: string): number | undefined {
    const entry = this.entries.get(name);
    if (!entry) return undefined;
    const { dueMs, retryMs } = entry;
    return dueMs === undefined || (retryMs !== undefined && retryMs < dueMs) ? retryMs : dueMs;
  }

  /** Time of the next retry; undefined if none is planned. */
  retryMs(name: string): number | undefined {
    return this.entries.get(name)?.retryMs;
  }

  close(): void {
    this.closed = true;
    this.timer?.clear();
    this.entries.clear();
  }

  private plan(entry: Entry, nowMs: number): void {
    const { schedule, anchorMs, jitterMs, lastDueMs } = entry;
    // Later than the last planned time: a clock that went back does not repeat it.
    const [dueMs] = nextRuns(schedule, Math.max(nowMs, lastDueMs), 1, anchorMs);
    entry.dueMs = dueMs;
    entry.startMs = (dueMs ?? Infinity) + Math.floor(this.options.random() * jitterMs);
  }

  private arm(): void {
    this.timer?.clear();
    this.timer = undefined;
    if (this.closed || this.entries.size === 0) return;
    const nowMs = this.options.clock.nowMs();
    let next = Infinity;
    for (const { startMs, retryMs = Infinity } of this.entries.values())
      next = Math.min(next, startMs, retryMs);
    const waitMs = Math.min(limits.schedulerTickMs, Math.max(0, next - nowMs));
    this.timer = this.options.clock.setTimer(() => this.tick(), waitMs);
  }

  private tick(): void {
    const nowMs = this.options.clock.nowMs();
    if (nowMs < this.lastNowMs - limits.clockJumpMs) this.afterJumpBack(nowMs);
    this.lastNowMs = nowMs;
    const due: [string, number, "SCHEDULED" | "RETRY"][] = [];
    for (const [name, entry] of this.entries) {
      const { dueMs, startMs, retryMs } = entry;
      if (dueMs !== undefined && startMs <= nowMs) {
        entry.lastDueMs = missedRun(entry.schedule, dueMs, nowMs, entry.anchorMs) ?? dueMs;
        entry.retryMs = undefined;
        due.push([name, entry.lastDueMs, "SCHEDULED"]);
        this.plan(entry, nowMs);
      } else if (retryMs !== undefined && retryMs <= nowMs) {
        entry.retryMs = undefined;
        due.push([name, entry.lastDueMs, "RETRY"]);
      }
    }
    for (const [name, dueMs, cause] of due)
      if (this.entries.has(name)) this.options.onDue(name, dueMs, cause);
    this.arm();
  }

  /** The clock was wrong before: planned times and retries far in the future would stop a task. */
  private afterJumpBack(nowMs: number): void {
    for (const entry of this.entries.values()) {
      if (entry.lastDueMs > nowMs + limits.clockJumpMs) entry.lastDueMs = nowMs;
      this.plan(entry, nowMs);
      if (entry.retryMs !== undefined) entry.retryMs = Math.min(entry.retryMs, nowMs);
    }
  }
}
