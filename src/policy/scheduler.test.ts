import fc from "fast-check";
import { limits } from "../limits.js";
import { nextRuns, type Schedule } from "./schedule.js";
import { Scheduler, type ScheduledTask, type SchedulerOptions } from "./scheduler.js";

const minute = 60_000;
const hour = 60 * minute;
const start = Date.parse("2026-06-01T00:00:30Z");
const hourly: Schedule = { kind: "interval", everyMs: hour };

/** A clock whose time passes by `pass`, and whose reading can be changed apart from it. */
class FakeClock {
  now = start;
  longestTimerMs = 0;
  timersSet = 0;
  #elapsed = 0;
  #timer: { atMs: number; callback: () => void } | undefined;

  nowMs = () => this.now;
  setTimer = (callback: () => void, ms: number) => {
    if (this.#timer) throw new Error("second timer");
    if (++this.timersSet > 1_000_000) throw new Error("timers in a circle");
    this.longestTimerMs = Math.max(this.longestTimerMs, ms);
    const timer = { atMs: this.#elapsed + ms, callback };
    this.#timer = timer;
    return {
      clear: () => {
        if (this.#timer === timer) this.#timer = undefined;
      },
    };
  };

  get waiting() {
    return this.#timer !== undefined;
  }

  pass(ms: number) {
    const end = this.#elapsed + ms;
    for (let timer = this.#timer; timer && timer.atMs <= end; timer = this.#timer) {
      this.#to(timer.atMs);
      this.#timer = undefined;
      timer.callback();
    }
    this.#to(end);
  }

  #to(elapsed: number) {
    this.now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

function setUp(options: Partial<SchedulerOptions> = {}) {
  const clock = new FakeClock();
  const events: string[] = [];
  const runs: { name: string; dueMs: number; atMs: number }[] = [];
  const scheduler = new Scheduler({
    clock,
    random: () => 0,
    onDue: (name, dueMs) => {
      events.push(`${name} due ${new Date(dueMs).toISOString().slice(11, 19)}`);
      runs.push({ name, dueMs, atMs: clock.now });
    },
    onMissed: (name, dueMs) =>
      events.push(`${name} missed ${new Date(dueMs).toISOString().slice(11, 19)}`),
    ...options,
  });
  const task = (more: Partial<ScheduledTask> = {}): ScheduledTask => ({
    schedule: hourly,
    jitterMs: 0,
    anchorMs: 0,
    ...more,
  });
  return { clock, events, runs, scheduler, task };
}

test("runs a task at its planned times", () => {
  const { clock, events, runs, scheduler, task } = setUp();
  scheduler.set("a", task());
  expect(scheduler.nextRunMs("a")).toBe(Date.parse("2026-06-01T01:00Z"));
  clock.pass(2 * hour);
  expect(events).toEqual(["a due 01:00:00", "a due 02:00:00"]);
  expect(runs.every(({ dueMs, atMs }) => dueMs === atMs)).toBe(true);
});

test("makes up a missed run once, at once, outside of set", () => {
  const { clock, events, scheduler, task } = setUp({ random: () => 0.9 });
  scheduler.set("a", task({ lastStartMs: start - 30 * hour, jitterMs: hour }));
  expect(events).toEqual([]);
  expect(scheduler.nextRunMs("a")).toBe(Date.parse("2026-06-01T00:00Z"));
  clock.pass(0);
  expect(events).toEqual(["a missed 00:00:00", "a due 00:00:00"]);
  expect(scheduler.nextRunMs("a")).toBe(Date.parse("2026-06-01T01:00Z"));
});

test("makes up nothing for a task that has not run, or has run since", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task());
  scheduler.set("b", task({ lastStartMs: start - 10_000 }));
  clock.pass(30 * minute);
  expect(events).toEqual([]);
});

test("does not repeat a planned time when a task is replaced with an old start", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task({ lastStartMs: start - 30 * hour }));
  clock.pass(0);
  scheduler.set("a", task({ lastStartMs: start - 30 * hour }));
  clock.pass(minute);
  expect(events).toEqual(["a missed 00:00:00", "a due 00:00:00"]);
});

test("delays a planned run by at most the jitter and half the time to the next", () => {
  const { clock, runs, scheduler, task } = setUp({ random: () => 0.999 });
  scheduler.set("short", task({ jitterMs: 10 * minute }));
  scheduler.set("long", task({ jitterMs: 10 * hour }));
  clock.pass(24 * hour);
  for (const [name, most] of [
    ["short", 10 * minute],
    ["long", 30 * minute],
  ] as const) {
    const delays = runs.filter((run) => run.name === name).map((run) => run.atMs - run.dueMs);
    expect(delays.length).toBeGreaterThanOrEqual(23);
    expect(Math.max(...delays)).toBeLessThanOrEqual(most);
    expect(Math.min(...delays)).toBeGreaterThan(most * 0.9);
  }
});

test("keeps a run that jitter delays when the task is replaced", () => {
  const { clock, events, scheduler, task } = setUp({ random: () => 0.5 });
  scheduler.set("a", task({ jitterMs: 30 * minute }));
  clock.pass(hour);
  expect(events).toEqual([]);
  scheduler.set("a", task({ jitterMs: 30 * minute }));
  clock.pass(0);
  expect(events).toEqual(["a missed 01:00:00", "a due 01:00:00"]);
});

test("retries after the delay, and then continues as planned", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task());
  scheduler.retryIn("a", 10_000);
  expect(scheduler.nextRunMs("a")).toBe(start + 10_000);
  clock.pass(2 * minute);
  expect(events).toEqual(["a due 00:00:40"]);
  clock.pass(hour);
  expect(events).toEqual(["a due 00:00:40", "a due 01:00:00"]);
});

test("a planned run replaces a later retry", () => {
  const { clock, events, scheduler, task } = setUp({ random: () => 0.5 });
  scheduler.set("a", task({ jitterMs: 10 * minute }));
  scheduler.retryIn("a", hour);
  expect(scheduler.nextRunMs("a")).toBe(Date.parse("2026-06-01T01:00Z"));
  clock.pass(90 * minute);
  expect(events).toEqual(["a due 01:00:00"]);
  expect(clock.timersSet).toBeLessThan(200);
});

test("a callback may move the retry of another task that is due", () => {
  const calls: string[] = [];
  const { clock, scheduler, task } = setUp({
    onDue(name) {
      calls.push(name);
      if (name === "a") scheduler.retryIn("b", minute);
    },
  });
  for (const name of ["a", "b"]) {
    scheduler.set(name, task());
    scheduler.retryIn(name, 10_000);
  }
  clock.pass(10_000);
  expect(calls).toEqual(["a"]);
  clock.pass(minute);
  expect(calls).toEqual(["a", "b"]);
});

test("retries a continuous task, which has no planned times", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task({ schedule: { kind: "continuous" } }));
  expect(scheduler.nextRunMs("a")).toBeUndefined();
  expect(clock.waiting).toBe(false);
  scheduler.retryIn("a", 5_000);
  clock.pass(hour);
  expect(events).toEqual(["a due 00:00:35"]);
});

test("ignores tasks that do not exist", () => {
  const { clock, scheduler } = setUp();
  scheduler.retryIn("a", 5);
  scheduler.delete("a");
  expect(scheduler.nextRunMs("a")).toBeUndefined();
  expect(clock.waiting).toBe(false);
});

test("runs nothing after delete or close", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task());
  scheduler.set("b", task());
  scheduler.delete("a");
  clock.pass(hour);
  expect(events).toEqual(["b due 01:00:00"]);
  scheduler.close();
  scheduler.set("c", task());
  scheduler.retryIn("b", 0);
  expect(clock.waiting).toBe(false);
  clock.pass(2 * hour);
  expect(events).toHaveLength(1);
});

test("a callback may delete, replace and close", () => {
  const calls: string[] = [];
  const { clock, scheduler, task } = setUp({
    onDue(name) {
      calls.push(name);
      if (name === "a") scheduler.delete("b");
      if (name === "c") scheduler.close();
    },
    onMissed(name) {
      calls.push(`${name} missed`);
      scheduler.set(name, task());
    },
  });
  for (const name of ["a", "b", "c", "d"]) scheduler.set(name, task());
  scheduler.set("m", task({ lastStartMs: 0 }));
  clock.pass(2 * hour);
  expect(calls).toEqual(["m missed", "a", "c"]);
});

test("sleeps at most a tick, whatever the schedule", () => {
  const { clock, runs, scheduler, task } = setUp();
  const everyMs = 30 * 24 * hour;
  scheduler.set("a", task({ schedule: { kind: "interval", everyMs }, anchorMs: start }));
  clock.pass(everyMs);
  expect(runs).toEqual([{ name: "a", dueMs: start + everyMs, atMs: start + everyMs }]);
  expect(clock.longestTimerMs).toBe(limits.schedulerTickMs);
});

test("runs once for all the planned times that a clock jumps over", () => {
  const { clock, events, scheduler, task } = setUp();
  scheduler.set("a", task());
  clock.now += 10 * hour;
  clock.pass(limits.schedulerTickMs);
  expect(events).toEqual(["a missed 10:00:00", "a due 10:00:00"]);
  clock.pass(hour);
  expect(events.slice(2)).toEqual(["a due 11:00:00"]);
});

test("does not repeat a planned time when the clock is set back a little", () => {
  const { clock, events, scheduler, task } = setUp();
  const schedule: Schedule = { kind: "interval", everyMs: minute };
  scheduler.set("a", task({ schedule }));
  clock.pass(5 * minute);
  clock.now -= 4 * minute;
  clock.pass(6 * minute);
  expect(events.map((event) => event.slice(-8))).toEqual(
    ["01", "02", "03", "04", "05", "06", "07"].map((text) => `00:${text}:00`),
  );
});

test("follows a clock that is set back by a day", () => {
  const { clock, runs, scheduler, task } = setUp();
  scheduler.set("a", task());
  clock.pass(hour);
  clock.now -= 24 * hour;
  clock.pass(2 * hour);
  expect(runs.map(({ dueMs }) => new Date(dueMs).toISOString().slice(0, 16))).toEqual([
    "2026-06-01T01:00",
    "2026-05-31T02:00",
    "2026-05-31T03:00",
  ]);
});

test("a retry does not wait for a clock that was set back", () => {
  const { clock, runs, scheduler, task } = setUp();
  scheduler.set("a", task());
  scheduler.retryIn("a", 2 * minute);
  clock.pass(minute);
  clock.now -= 24 * hour;
  clock.pass(3 * minute);
  expect(runs).toHaveLength(1);
});

test("runs a thousand tasks with one timer", () => {
  const { clock, runs, scheduler, task } = setUp();
  for (let i = 0; i < 1000; i++) scheduler.set(`task ${i}`, task({ anchorMs: i * 1000 }));
  clock.pass(hour);
  expect(new Set(runs.map(({ name }) => name)).size).toBe(1000);
  expect(runs).toHaveLength(1000);
});

const schedules = fc.oneof(
  fc
    .integer({ min: 1, max: 180 })
    .map((n): Schedule => ({ kind: "interval", everyMs: n * minute })),
  fc
    .tuple(
      fc.constantFrom("* * * * *", "*/7 * * * *", "30 2 * * *", "0 1-5 * * *"),
      fc.constantFrom("UTC", "Europe/Berlin"),
    )
    .map(([expression, timeZone]): Schedule => ({ kind: "cron", expression, timeZone })),
);
const tasks = fc.array(
  fc.record({ schedule: schedules, jitterMs: fc.integer({ min: 0, max: 2 * hour }) }),
  { minLength: 1, maxLength: 4 },
);
/** Starts around the changes of the clock in Berlin, or at any time. */
const starts = fc.oneof(
  fc.constantFrom(Date.parse("2026-03-29T00:10:00Z"), Date.parse("2026-10-24T23:50:00Z")),
  fc.integer({ min: 0, max: 4e12 }),
);

test("on a steady clock, each planned time runs exactly once, in order", () => {
  fc.assert(
    fc.property(
      starts,
      tasks,
      fc.array(fc.integer({ min: 0, max: 40 * minute }), { maxLength: 12 }),
      fc.integer(),
      (from, list, steps, seed) => {
        const { clock, runs, scheduler } = setUp({ random: randomOf(seed) });
        clock.now = from;
        list.forEach((task, i) => scheduler.set(String(i), { ...task, anchorMs: from - 5 }));
        for (const step of steps) clock.pass(step);
        list.forEach(({ schedule }, i) => {
          const dues = runs.filter(({ name }) => name === String(i)).map(({ dueMs }) => dueMs);
          expect(dues).toEqual(firstRuns(schedule, from, dues.length));
          // The only run that may not have started is the next one.
          const next = scheduler.nextRunMs(String(i)) ?? NaN;
          const [following = NaN] = nextRuns(schedule, next, 1, from - 5);
          expect(following).toBeGreaterThan(clock.now);
        });
      },
    ),
    { numRuns: 100 },
  );
});

test("on a clock that jumps, no planned time runs twice, and none stops for long", () => {
  const steps = fc.array(
    fc.record({
      passMs: fc.integer({ min: 0, max: 10 * minute }),
      jumpMs: fc.oneof(
        fc.integer({ min: -limits.clockJumpMs, max: 0 }),
        fc.integer({ min: 0, max: 5 * hour }),
      ),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(tasks, steps, fc.integer(), (list, history, seed) => {
      const { clock, runs, scheduler } = setUp({ random: randomOf(seed) });
      list.forEach((task, i) => scheduler.set(String(i), { ...task, anchorMs: 0 }));
      let latest = clock.now;
      for (const { passMs, jumpMs } of history) {
        clock.pass(passMs);
        latest = Math.max(latest, clock.now);
        // Jumps back never add up to more than the limit.
        clock.now = Math.max(clock.now + jumpMs, latest - limits.clockJumpMs);
        latest = Math.max(latest, clock.now);
      }
      list.forEach((_, i) => {
        const dues = runs.filter(({ name }) => name === String(i)).map(({ dueMs }) => dueMs);
        expect(dues.every((due, j) => j === 0 || due > (dues[j - 1] ?? NaN))).toBe(true);
      });
      for (const { dueMs, atMs } of runs) expect(dueMs).toBeLessThanOrEqual(atMs);
      clock.pass(limits.schedulerTickMs);
      list.forEach(({ schedule }, i) => {
        const [planned = NaN] = nextRuns(schedule, clock.now + limits.clockJumpMs, 1, 0);
        expect(scheduler.nextRunMs(String(i))).toBeLessThanOrEqual(planned);
      });
    }),
    { numRuns: 100 },
  );
});

test("after jumps of any size, tasks are planned from the clock", () => {
  const jumps = fc.array(fc.integer({ min: -400 * 24 * hour, max: 400 * 24 * hour }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(tasks, jumps, (list, sizes) => {
      const { clock, scheduler } = setUp();
      list.forEach((task, i) => scheduler.set(String(i), { ...task, anchorMs: 0 }));
      for (const size of sizes) {
        clock.pass(3 * minute);
        clock.now += size;
      }
      clock.pass(3 * minute);
      list.forEach(({ schedule }, i) => {
        const [planned = NaN] = nextRuns(schedule, clock.now + limits.clockJumpMs, 1, 0);
        expect(scheduler.nextRunMs(String(i))).toBeLessThanOrEqual(planned);
      });
    }),
    { numRuns: 100 },
  );
});

/** The first planned times of a schedule, which nextRuns returns a hundred at a time. */
function firstRuns(schedule: Schedule, from: number, count: number): number[] {
  const found: number[] = [];
  while (found.length < count)
    found.push(...nextRuns(schedule, found.at(-1) ?? from, count - found.length, from - 5));
  return found;
}

/** Returns a generator of numbers from 0 up to 1, by a seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
