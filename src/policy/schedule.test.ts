import fc from "fast-check";
import { limits } from "../limits.js";
import { checkSchedule, missedRun, nextRuns, type Schedule } from "./schedule.js";

const minute = 60_000;
const hour = 3_600_000;
const at = (text: string) => Date.parse(text);
const iso = (times: number[]) => times.map((time) => new Date(time).toISOString().slice(0, 16));
const cron = (expression: string, timeZone = "UTC"): Schedule => ({
  kind: "cron",
  expression,
  timeZone,
});
const runsOf = (schedule: Schedule, from: string, count: number) =>
  iso(nextRuns(schedule, at(from), count, 0));

/** Planned times from one time up to, but not including, another. */
const between = (schedule: Schedule, from: string, to: string) =>
  nextRuns(schedule, at(from) - 1, 100, 0).filter((time) => time < at(to));

describe("checks", () => {
  test.each([
    "30 2 * * *",
    "*/5 * * * *",
    "0 0 29 2 *",
    "0 22 * * MON-FRI",
    "0 0 L * *",
    "  0  4 1,15 JAN-JUN 0 ",
  ])("accepts %j", (expression) => {
    checkSchedule(cron(expression, "Europe/Berlin"), "schedule");
  });

  test.each([
    ["", "has 0 fields"],
    ["@daily", "has 1 field, not 5"],
    ["0 30 2 * * *", "has 6 fields"],
    ["0 30 2 * * * 2026", "has 7 fields"],
    ["? 2 * * *", 'contains "?"'],
    ["61 * * * *", "61"],
    ["*/0 * * * *", "illegal stepping"],
    ["a b c d e", "illegal characters"],
    ["0 0 30 2 *", "matches no date"],
    ["0 0 31 2,4,6,9,11 *", "matches no date"],
    [`0 0 * * ${"1,".repeat(50_000)}1`, "longer than 256 characters"],
  ])("rejects %.20j", (expression, problem) => {
    let thrown: unknown;
    try {
      checkSchedule(cron(expression), "schedule");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      reason: "REQUEST_INVALID",
      message: expect.stringMatching(/^schedule\.cron: .*for example "30 2 \* \* \*"/),
      metadata: { field: "schedule.cron" },
    });
    expect(String(thrown)).toContain(problem);
    expect(String(thrown).length).toBeLessThan(800);
  });

  test("rejects an unknown time zone", () => {
    expect(() => checkSchedule(cron("0 0 * * *", "Mars/Base"), "schedule")).toThrow(
      expect.objectContaining({ metadata: { field: "schedule.time_zone" } }),
    );
  });

  test.each([0, -1, NaN, Infinity, 60_000.5, limits.policyIntervalMinMs - 1, 367 * 24 * hour])(
    "rejects an interval of %d ms",
    (everyMs) => {
      expect(() => checkSchedule({ kind: "interval", everyMs }, "schedule")).toThrow(
        /^schedule\.interval: invalid interval .* must be 1m to 366d, for example 6h\.$/,
      );
    },
  );

  test("accepts intervals within the bounds, and continuous", () => {
    for (const everyMs of [limits.policyIntervalMinMs, limits.policyIntervalMaxMs])
      checkSchedule({ kind: "interval", everyMs }, "schedule");
    checkSchedule({ kind: "continuous" }, "schedule");
  });
});

describe("cron", () => {
  test.each([
    // Clocks go from 02:00 to 03:00.
    ["Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-29T01:00"],
    ["America/New_York", "2026-03-08T05:00Z", "2026-03-09T04:00Z", "2026-03-08T07:00"],
    // 02:30 occurs twice in Berlin. In New York, it is 01:30 that does.
    ["Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-25T00:30"],
    ["America/New_York", "2026-11-01T04:00Z", "2026-11-02T05:00Z", "2026-11-01T07:30"],
  ])("runs once at 02:30 in %s on the day from %s", (zone, from, to, expected) => {
    expect(iso(between(cron("30 2 * * *", zone), from, to))).toEqual([expected]);
  });

  test("runs once at 01:30 when it occurs twice in New York", () => {
    const day = between(
      cron("30 1 * * *", "America/New_York"),
      "2026-11-01T04:00Z",
      "2026-11-02T05:00Z",
    );
    expect(iso(day)).toEqual(["2026-11-01T05:30"]);
  });

  test.each([
    ["Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z", 23],
    ["Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z", 25],
    ["America/New_York", "2026-03-08T05:00Z", "2026-03-09T04:00Z", 23],
    ["America/New_York", "2026-11-01T04:00Z", "2026-11-02T05:00Z", 25],
  ])("runs hourly in %s on the day from %s", (zone, from, to, count) => {
    const runs = between(cron("0 * * * *", zone), from, to);
    expect(runs).toHaveLength(count);
    expect(runs.every((time, i) => i === 0 || time - (runs[i - 1] ?? 0) === hour)).toBe(true);
  });

  test("loses no run of a list of times when the clock changes", () => {
    const schedule = cron("30 2,14 * * *", "Europe/Berlin");
    expect(between(schedule, "2026-03-28T23:00Z", "2026-03-29T22:00Z")).toHaveLength(2);
    expect(between(schedule, "2026-10-24T22:00Z", "2026-10-25T23:00Z")).toHaveLength(2);
  });

  test("runs on leap days", () => {
    expect(runsOf(cron("0 0 29 2 *"), "2096-03-01T00:00Z", 2)).toEqual([
      "2104-02-29T00:00",
      "2108-02-29T00:00",
    ]);
  });

  test("runs on the 31st only in months that have one", () => {
    expect(runsOf(cron("0 0 31 * *"), "2026-01-31T00:00Z", 4)).toEqual([
      "2026-03-31T00:00",
      "2026-05-31T00:00",
      "2026-07-31T00:00",
      "2026-08-31T00:00",
    ]);
  });

  test("runs on the last day of each month", () => {
    expect(runsOf(cron("0 0 L * *"), "2028-01-31T00:00Z", 3)).toEqual([
      "2028-02-29T00:00",
      "2028-03-31T00:00",
      "2028-04-30T00:00",
    ]);
  });

  test.each([
    ["Asia/Kathmandu", "2026-06-01T20:45"],
    ["Asia/Kolkata", "2026-06-01T21:00"],
    ["Australia/Lord_Howe", "2026-06-01T16:00"],
    ["Pacific/Chatham", "2026-06-01T13:45"],
  ])("follows the fraction of an hour of %s", (zone, expected) => {
    expect(runsOf(cron("30 2 * * *", zone), "2026-06-01T12:00Z", 1)).toEqual([expected]);
  });

  test.each([
    ["1901-01-01T00:00Z", "1901-01-01T02:30"],
    ["1969-12-31T23:00Z", "1970-01-01T02:30"],
    ["2400-02-29T00:00Z", "2400-02-29T02:30"],
  ])("plans from a clock at %s", (from, expected) => {
    expect(runsOf(cron("30 2 * * *"), from, 1)).toEqual([expected]);
    expect(missedRun(cron("30 2 * * *"), -Infinity, at(expected), 0)).toBe(at(expected));
  });

  test("plans nothing at the end of time", () => {
    for (const time of [8.64e15, Infinity]) {
      expect(nextRuns(cron("30 2 * * *"), time, 3, 0)).toEqual([]);
      expect(missedRun(cron("30 2 * * *"), 0, time, 0)).toBeLessThan(at("+010000-01-01T00:00Z"));
    }
  });

  test("the newest missed run is the last planned one, in every zone and season", () => {
    const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
    const expressions = ["30 2 * * *", "0 * * * *", "*/20 1-3 * * *", "30 1,2 * * *", "0 0 31 * *"];
    // Half of the times are around the changes of the clock.
    const changes = [
      "2026-03-29T01:00Z",
      "2026-10-25T01:00Z",
      "2026-03-08T07:00Z",
      "2026-11-01T06:00Z",
    ];
    const time = fc.oneof(
      fc.integer({ min: at("2020-01-01"), max: at("2030-01-01") }),
      fc
        .tuple(fc.constantFrom(...changes), fc.integer({ min: -6 * hour, max: 6 * hour }))
        .map(([change, offset]) => at(change) + offset),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...expressions),
        time,
        (zone, expression, now) => {
          const schedule = cron(expression, zone);
          const [next = NaN, following = NaN] = nextRuns(schedule, now, 2, 0);
          expect(next).toBeGreaterThan(now);
          expect(missedRun(schedule, now, next - 1, 0)).toBeUndefined();
          expect(missedRun(schedule, now, next, 0)).toBe(next);
          expect(missedRun(schedule, now, following - 1, 0)).toBe(next);
          expect(missedRun(schedule, next, following, 0)).toBe(following);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("intervals", () => {
  const schedule: Schedule = { kind: "interval", everyMs: 10 * minute };

  test("count from the anchor, in both directions", () => {
    const anchor = at("2026-01-01T00:03Z");
    expect(iso(nextRuns(schedule, anchor, 2, anchor))).toEqual([
      "2026-01-01T00:13",
      "2026-01-01T00:23",
    ]);
    expect(iso(nextRuns(schedule, anchor - 1, 1, anchor))).toEqual(["2026-01-01T00:03"]);
    expect(iso(nextRuns(schedule, at("2025-12-31T23:00Z"), 1, anchor))).toEqual([
      "2025-12-31T23:03",
    ]);
  });

  test("miss only the newest planned time", () => {
    expect(missedRun(schedule, 0, 35 * minute, 0)).toBe(30 * minute);
    expect(missedRun(schedule, 30 * minute, 35 * minute, 0)).toBeUndefined();
    expect(missedRun(schedule, 30 * minute - 1, 30 * minute, 0)).toBe(30 * minute);
    expect(missedRun(schedule, 60 * minute, 35 * minute, 0)).toBeUndefined();
  });
});

test("a continuous schedule has no planned times", () => {
  expect(nextRuns({ kind: "continuous" }, 0, 5, 0)).toEqual([]);
  expect(missedRun({ kind: "continuous" }, 0, 1e12, 0)).toBeUndefined();
});

test("returns a bounded number of planned times", () => {
  expect(nextRuns(cron("* * * * *"), 0, 1e9, 0)).toHaveLength(limits.plannedRuns);
  expect(nextRuns({ kind: "interval", everyMs: minute }, 0, 1e9, 0)).toHaveLength(
    limits.plannedRuns,
  );
});
