import fc from "fast-check";
import { limits } from "../limits.js";
import {
  checkRetention,
  decideRetention,
  type RetainedBackup,
  type RetentionContext,
  type RetentionRules,
} from "./retention.js";
import { windowCoveredMs } from "./window.js";

const hour = 3_600_000;
const day = 24 * hour;
const nowMs = Date.parse("2026-11-29T12:00:00Z");
const utc: RetentionContext = { nowMs, timeZone: "UTC" };

/** A backup by its end, named by it, which restores the hour before. */
function backup(end: string, more: Partial<RetainedBackup> = {}): RetainedBackup {
  const to = BigInt(Date.parse(`${end}Z`)) * 1000n;
  return {
    name: end,
    coversToMicros: to,
    coversFromMicros: to - BigInt(hour) * 1000n,
    series: "index",
    verified: false,
    pinned: false,
    ...more,
  };
}

/** The reasons of the kept backups, by name. */
const kept = (backups: RetainedBackup[], rules: RetentionRules, context = utc) =>
  Object.fromEntries(
    decideRetention(backups, rules, context)
      .filter(({ keep }) => keep)
      .map(({ name, reasons }) => [name, reasons]),
  );

test("keeps everything without rules", () => {
  const backups = [backup("2020-01-01T00:00"), backup("2026-01-01T00:00")];
  for (const rules of [{}, { keepLast: undefined } as RetentionRules])
    expect(decideRetention(backups, rules, { ...utc, windowMs: day })).toEqual(
      backups.map(({ name }) => ({ name, keep: true, reasons: ["no retention rules"] })),
    );
  expect(decideRetention([], { keepLast: 1 }, utc)).toEqual([]);
});

test("keeps the last backups, and answers in the order given", () => {
  const backups = ["2026-11-02T00:00", "2026-11-04T00:00", "2026-11-01T00:00", "2026-11-03T00:00"];
  expect(
    decideRetention(
      backups.map((end) => backup(end)),
      { keepLast: 2 },
      utc,
    ),
  ).toEqual([
    { name: "2026-11-02T00:00", keep: false, reasons: ["matches no rule"] },
    { name: "2026-11-04T00:00", keep: true, reasons: ["newest", "last 2"] },
    { name: "2026-11-01T00:00", keep: false, reasons: ["matches no rule"] },
    { name: "2026-11-03T00:00", keep: true, reasons: ["last 2"] },
  ]);
});

test("keeps the newest backup of each of the last days that have one", () => {
  const backups = ["20T08:00", "20T20:00", "21T08:00", "25T08:00", "25T20:00"].map((end) =>
    backup(`2026-11-${end}`),
  );
  expect(kept(backups, { keepDaily: 2 })).toEqual({
    "2026-11-25T20:00": ["newest", "daily 2026-11-25"],
    "2026-11-21T08:00": ["daily 2026-11-21"],
  });
});

test("keeps the oldest backup while there are fewer periods than the rule asks for", () => {
  const backups = ["2026-10-05T00:00", "2026-10-20T00:00", "2026-11-05T00:00", "2026-11-20T00:00"];
  expect(
    kept(
      backups.map((end) => backup(end)),
      { keepMonthly: 3 },
    ),
  ).toEqual({
    "2026-11-20T00:00": ["newest", "monthly 2026-11"],
    "2026-10-20T00:00": ["monthly 2026-10"],
    "2026-10-05T00:00": ["oldest monthly"],
  });
});

test("hours, days, weeks, months and years follow the time zone", () => {
  const backups = [backup("2025-12-31T22:30"), backup("2025-12-31T23:30")];
  const rules = { keepHourly: 2, keepDaily: 2, keepWeekly: 1, keepMonthly: 1, keepYearly: 1 };
  expect(kept(backups, rules, { nowMs, timeZone: "Europe/Berlin" })).toEqual({
    "2025-12-31T22:30": ["hourly 2025-12-31T23+01:00", "daily 2025-12-31"],
    "2025-12-31T23:30": [
      "newest",
      "hourly 2026-01-01T00+01:00",
      "daily 2026-01-01",
      "weekly 2026-W01",
      "monthly 2026-01",
      "yearly 2026",
    ],
  });
});

test("keeps all backups within a duration before the newest, whatever the time is now", () => {
  const backups = ["2026-01-01T00:00", "2026-01-01T00:01", "2026-01-05T00:00", "2026-01-08T00:01"];
  expect(
    kept(
      backups.map((end) => backup(end)),
      { keepWithinMs: 7 * day },
    ),
  ).toEqual({
    "2026-01-01T00:01": ["within 7 days"],
    "2026-01-05T00:00": ["within 7 days"],
    "2026-01-08T00:01": ["newest", "within 7 days"],
  });
  expect(kept([backup("2026-01-01T00:00")], { keepWithinMs: 90_000 })).toEqual({
    "2026-01-01T00:00": ["newest", "within 1m30s"],
  });
});

test("keeps pinned backups, and the newest and newest verified one of each series", () => {
  const backups = [
    backup("2026-01-01T00:00", { pinned: true }),
    backup("2026-01-02T00:00", { verified: true }),
    backup("2026-01-03T00:00", { verified: true }),
    backup("2026-01-04T00:00"),
    backup("2026-01-05T00:00"),
    backup("2025-01-01T00:00", { series: "other" }),
    backup("2025-01-02T00:00", { series: "other" }),
  ];
  expect(kept(backups, { keepLast: 1 })).toEqual({
    "2026-01-01T00:00": ["pinned"],
    "2026-01-03T00:00": ["newest verified"],
    "2026-01-05T00:00": ["newest", "last 1"],
    "2025-01-02T00:00": ["newest", "last 1"],
  });
});

test("keeps the last backups besides the pinned ones", () => {
  const backups = [
    backup("2026-01-01T00:00"),
    backup("2026-01-02T00:00"),
    backup("2026-01-03T00:00", { pinned: true }),
    backup("2026-01-04T00:00", { pinned: true }),
  ];
  expect(kept(backups, { keepLast: 2 })).toEqual({
    "2026-01-01T00:00": ["last 2"],
    "2026-01-02T00:00": ["last 2"],
    "2026-01-03T00:00": ["pinned"],
    "2026-01-04T00:00": ["pinned", "newest"],
  });
});

test("keeps backups of the future, and counts them in no rule", () => {
  const backups = ["2026-11-28T00:00", "2026-11-29T00:00", "2026-12-24T00:00"];
  expect(
    kept(
      backups.map((end) => backup(end)),
      { keepLast: 1 },
    ),
  ).toEqual({
    "2026-11-29T00:00": ["newest", "last 1"],
    "2026-12-24T00:00": ["in the future"],
  });
});

test("keeps what a kept backup needs, also in circles and across series", () => {
  const backups = [
    backup("2026-01-01T00:00", { series: "other", needs: ["2026-01-04T00:00"] }),
    backup("2026-01-02T00:00", { needs: ["2026-01-01T00:00", "gone"] }),
    backup("2026-01-03T00:00"),
    backup("2026-01-04T00:00", { needs: ["2026-01-02T00:00"] }),
    backup("2026-01-01T12:00", { series: "other" }),
  ];
  expect(kept(backups, { keepLast: 1 })).toEqual({
    "2026-01-04T00:00": ["newest", "last 1"],
    "2026-01-02T00:00": ["needed by 2026-01-04T00:00"],
    "2026-01-01T00:00": ["needed by 2026-01-02T00:00"],
    "2026-01-01T12:00": ["newest", "last 1"],
  });
});

test("keeps as few backups as cover the window", () => {
  const covers = (end: string, from: string) =>
    backup(end, { coversFromMicros: backup(from).coversToMicros });
  const backups = [
    covers("2026-11-20T00:00", "2026-11-19T00:00"),
    covers("2026-11-24T00:00", "2026-11-20T00:00"),
    covers("2026-11-25T00:00", "2026-11-23T00:00"),
    covers("2026-11-26T00:00", "2026-11-22T00:00"),
    covers("2026-11-27T00:00", "2026-11-26T00:00"),
    covers("2026-11-29T00:00", "2026-11-27T00:00"),
  ];
  expect(kept(backups, { keepLast: 1 }, { ...utc, windowMs: 8 * day })).toEqual({
    "2026-11-24T00:00": ["covers the window"],
    "2026-11-26T00:00": ["covers the window"],
    "2026-11-27T00:00": ["covers the window"],
    "2026-11-29T00:00": ["newest", "last 1"],
  });
});

test.each<[RetentionRules, string]>([
  [{ keepLast: 0 }, "retention.keep_last"],
  [{ keepHourly: -1 }, "retention.keep_hourly"],
  [{ keepDaily: 1.5 }, "retention.keep_daily"],
  [{ keepWeekly: limits.retentionKeepMax + 1 }, "retention.keep_weekly"],
  [{ keepMonthly: NaN }, "retention.keep_monthly"],
  [{ keepYearly: Infinity }, "retention.keep_yearly"],
  [{ keepWithinMs: 0 }, "retention.keep_within"],
  [{ keepWithinMs: limits.durationMaxMs + 1 }, "retention.keep_within"],
])("rejects %j", (rules, field) => {
  expect(() => checkRetention(rules, "retention")).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringContaining(`${field}: invalid`),
      metadata: { field },
    }),
  );
});

test("accepts no rules, and rules within their bounds", () => {
  checkRetention({}, "retention");
  checkRetention(
    { keepLast: 1, keepYearly: limits.retentionKeepMax, keepWithinMs: 1 },
    "retention",
  );
});

describe("for any backups and rules", () => {
  /** Up to 30 backups of two series over three months, some after now, with needs and equal times. */
  const anyBackups = fc
    .array(
      fc.record({
        endHours: fc.integer({ min: -2200, max: 20 }),
        lengthHours: fc.integer({ min: 0, max: 300 }),
        series: fc.constantFrom("a", "a", "b"),
        verified: fc.boolean(),
        pinned: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        needs: fc.array(fc.integer({ min: 0, max: 35 }).map(String), { maxLength: 1 }),
      }),
      { maxLength: 30 },
    )
    .map((list) =>
      list.map(({ endHours, lengthHours, ...rest }, i): RetainedBackup => {
        const to = nowMs + endHours * hour;
        return {
          name: String(i),
          coversToMicros: BigInt(to) * 1000n,
          coversFromMicros: BigInt(to - lengthHours * hour) * 1000n,
          ...rest,
        };
      }),
    );
  const count = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined });
  const anyRules = fc.record({
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithinMs: fc.option(fc.integer({ min: 1, max: 40 * day }), { nil: undefined }),
  }) as fc.Arbitrary<RetentionRules>;
  const anyContext = fc.record({
    nowMs: fc.constant(nowMs),
    timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu"),
    windowMs: fc.option(fc.integer({ min: 0, max: 100 * day }), { nil: undefined }),
  }) as fc.Arbitrary<RetentionContext>;

  const keptNames = (backups: RetainedBackup[], rules: RetentionRules, context: RetentionContext) =>
    new Set(Object.keys(kept(backups, rules, context)));
  const check = (
    property: (
      backups: RetainedBackup[],
      rules: RetentionRules,
      context: RetentionContext,
      names: ReadonlySet<string>,
    ) => void,
  ) =>
    fc.assert(
      fc.property(anyBackups, anyRules, anyContext, (backups, rules, context) =>
        property(backups, rules, context, keptNames(backups, rules, context)),
      ),
      { numRuns: 500 },
    );
  const newestOf = (backups: RetainedBackup[]) =>
    backups.reduce<bigint>(
      (max, one) => (one.coversToMicros > max ? one.coversToMicros : max),
      -1n,
    );

  test("keeps pinned, newest and newest verified backups, and those that kept ones need", () => {
    check((backups, _rules, _context, names) => {
      for (const one of backups) {
        if (one.pinned) expect(names).toContain(one.name);
        if (names.has(one.name))
          for (const need of one.needs ?? [])
            if (backups.some(({ name }) => name === need)) expect(names).toContain(need);
      }
      const left = backups.filter(({ name }) => names.has(name));
      for (const series of ["a", "b"]) {
        const own = (list: RetainedBackup[]) => list.filter((one) => one.series === series);
        const verified = (list: RetainedBackup[]) => own(list).filter((one) => one.verified);
        expect(newestOf(own(left))).toBe(newestOf(own(backups)));
        expect(newestOf(verified(left))).toBe(newestOf(verified(backups)));
      }
    });
  });

  test("keeps all of what it kept when it decides again", () => {
    check((backups, rules, context, names) => {
      const left = backups.filter(({ name }) => names.has(name));
      expect(keptNames(left, rules, context)).toEqual(names);
    });
  });

  test("decides the same in any order", () => {
    check((backups, rules, context, names) => {
      expect(keptNames(backups.toReversed(), rules, context)).toEqual(names);
    });
  });

  test("keeps at least as much with larger rules", () => {
    fc.assert(
      fc.property(anyBackups, anyRules, anyRules, anyContext, (backups, rules, more, context) => {
        // Larger rules may cover the window by themselves, with other backups.
        const { windowMs: _, ...withoutWindow } = context;
        const ruled = Object.entries(rules).filter(([, value]) => value !== undefined);
        fc.pre(ruled.length > 0);
        const larger: RetentionRules = { ...more };
        for (const rule of Object.keys(more) as (keyof RetentionRules)[]) {
          const least = rules[rule];
          if (least !== undefined) larger[rule] = least + (more[rule] ?? 0);
        }
        const names = keptNames(backups, larger, withoutWindow);
        for (const name of keptNames(backups, rules, withoutWindow)) expect(names).toContain(name);
      }),
      { numRuns: 500 },
    );
  });

  test("restores the same points in time of the window after the removal", () => {
    check((backups, _rules, context, names) => {
      const { windowMs } = context;
      if (windowMs === undefined) return;
      for (const series of ["a", "b"]) {
        const all = backups.filter((one) => one.series === series);
        const left = all.filter(({ name }) => names.has(name));
        const lost = all.flatMap((one) =>
          criticalTimes(one, all, nowMs - windowMs).filter((time) => !restores(left, time)),
        );
        expect(lost).toEqual([]);
        const covered = (list: RetainedBackup[]) => windowCoveredMs(list, nowMs);
        const end = newestOf(all);
        const ageMs = end < 0n ? 0 : Math.max(0, nowMs - Number(end / 1000n));
        const most = Math.max(0, windowMs - ageMs);
        expect(Math.min(most, covered(left))).toBe(Math.min(most, covered(all)));
      }
    });
  });

  test("covers the window with as few backups as possible", () => {
    const few = anyBackups.map((list) =>
      list.slice(0, 9).map((one) => ({ ...one, series: "a", needs: [] })),
    );
    fc.assert(
      fc.property(few, fc.integer({ min: 0, max: 100 * day }), (backups, windowMs) => {
        const free = keptNames(backups, { keepLast: 1 }, utc);
        const picked = keptNames(backups, { keepLast: 1 }, { ...utc, windowMs });
        const rest = backups.filter(({ name }) => !free.has(name));
        let fewest = Infinity;
        for (let choice = 0; choice < 2 ** rest.length; choice++) {
          const chosen = rest.filter((_, i) => choice & (1 << i));
          if (chosen.length >= fewest) continue;
          const left = [...backups.filter(({ name }) => free.has(name)), ...chosen];
          let same = true;
          for (const one of backups)
            for (const time of criticalTimes(one, backups, nowMs - windowMs))
              same &&= restores(left, time);
          if (same) fewest = chosen.length;
        }
        expect(picked.size - free.size).toBe(fewest);
      }),
      { numRuns: 100 },
    );
  });
});

test("decides 10,000 backups that need each other", () => {
  const backups = Array.from({ length: 10_000 }, (_, i): RetainedBackup => {
    const to = BigInt(nowMs - i * hour) * 1000n;
    return {
      ...backup("2026-01-01T00:00"),
      name: `backup ${i}`,
      coversToMicros: to,
      coversFromMicros: to - BigInt(hour) * 1000n,
      needs: i % 64 === 63 ? [] : [`backup ${i + 1}`],
    };
  });
  const rules = { keepLast: 10, keepHourly: 48, keepDaily: 30, keepYearly: 10 };
  const names = Object.keys(kept(backups, rules, { ...utc, windowMs: 35 * day }));
  expect(names.length).toBeGreaterThan(35 * 24);
  expect(names.length).toBeLessThan(40 * 24);
});

/** Whether a backup restores a time in milliseconds. */
function restores(backups: RetainedBackup[], ms: number): boolean {
  const micros = BigInt(Math.floor(ms)) * 1000n;
  return backups.some((one) => one.coversFromMicros <= micros && micros <= one.coversToMicros);
}

/** Times in the window, at and between the ends of backups, that a backup restores. */
function criticalTimes(one: RetainedBackup, backups: RetainedBackup[], startMs: number): number[] {
  const ends = backups.flatMap(({ coversFromMicros, coversToMicros }) => [
    Number(coversFromMicros / 1000n),
    Number(coversToMicros / 1000n),
  ]);
  return [startMs, ...ends, ...ends.map((end) => end + hour / 2)].filter(
    (time) => time >= startMs && restores([one], time),
  );
}
