import {
  checkRetention,
  decideRetention,
  windowCoveredMs,
  type RetainedBackup,
  type RetentionRules,
} from "./retention.js";

const hour = 3_600_000;
const day = 24 * hour;
const nowMs = Date.parse("2026-11-29T12:00:00Z");

function backup(name: string, endMs: number, more: Partial<RetainedBackup> = {}): RetainedBackup {
  return {
    name,
    coversToMicros: BigInt(endMs) * 1000n,
    coversFromMicros: BigInt(endMs - hour) * 1000n,
    series: "a",
    verified: true,
    pinned: false,
    ...more,
  };
}

const utc = { nowMs, timeZone: "UTC" };
const keptBy = (backups: RetainedBackup[], rules: RetentionRules, context = utc) =>
  decideRetention(backups, rules, context)
    .filter(({ keep }) => keep)
    .map(({ name }) => name);

/** One backup at noon for each of the last days, d0 the newest. */
const daily = (count: number) =>
  Array.from({ length: count }, (_, i) => backup(`d${i}`, nowMs - i * day));

test("keeps everything without rules", () => {
  expect(keptBy(daily(5), {})).toHaveLength(5);
});

test("keeps the newest backup of each day, week, month and year", () => {
  const all = daily(800);
  expect(keptBy(all, { keepDaily: 3 })).toEqual(["d0", "d1", "d2"]);
  // 2026-11-29 is a Sunday, so that the newest of each week are Sundays.
  expect(keptBy(all, { keepWeekly: 3 })).toEqual(["d0", "d7", "d14"]);
  expect(keptBy(all, { keepMonthly: 3 })).toEqual(["d0", "d29", "d60"]);
  expect(keptBy(all, { keepYearly: 3 })).toEqual(["d0", "d333", "d698"]);
});

test("skips days without a backup", () => {
  const some = [0, 1, 5, 9, 10].map((i) => backup(`d${i}`, nowMs - i * day));
  expect(keptBy(some, { keepDaily: 4 })).toEqual(["d0", "d1", "d5", "d9"]);
});

test("decides days in the time zone of the policy", () => {
  const two = [
    backup("late", Date.parse("2026-11-28T23:30:00Z")),
    backup("early", Date.parse("2026-11-28T22:30:00Z")),
  ];
  expect(keptBy(two, { keepDaily: 2 })).toEqual(["late"]);
  // In Berlin, the later one is of the next day.
  expect(keptBy(two, { keepDaily: 2 }, { nowMs, timeZone: "Europe/Berlin" })).toHaveLength(2);
});

test("keeps backups within a duration of the newest", () => {
  expect(keptBy(daily(10), { keepWithinMs: 2 * day })).toEqual(["d0", "d1", "d2"]);
});

test("states every reason", () => {
  const all = [
    backup("n", nowMs),
    backup("p", nowMs - day, { pinned: true }),
    backup("x", nowMs - 2 * day),
  ];
  expect(decideRetention(all, { keepLast: 1, keepDaily: 2 }, utc)).toEqual([
    {
      name: "n",
      keep: true,
      reasons: ["newest", "newest verified", "last 1", "daily 2026-11-29"],
    },
    { name: "p", keep: true, reasons: ["pinned", "daily 2026-11-28"] },
    { name: "x", keep: false, reasons: ["matches no rule"] },
  ]);
});

test("keeps the newest verified backup and the newest one", () => {
  const all = [
    backup("new", nowMs, { verified: false }),
    backup("mid", nowMs - hour, { verified: false }),
    backup("good", nowMs - 30 * day),
    backup("old", nowMs - 31 * day),
  ];
  expect(keptBy(all, { keepLast: 1 })).toEqual(["new", "good"]);
});

test("keeps a backup in the future, where the clock was wrong", () => {
  const all = [backup("future", nowMs + day), backup("now", nowMs), backup("old", nowMs - day)];
  expect(keptBy(all, { keepLast: 1 })).toEqual(["future"]);
  const two = [backup("f2", nowMs + 2 * day), ...all];
  expect(keptBy(two, { keepLast: 1 })).toEqual(["f2", "future"]);
});

test("keeps as few backups as the window needs", () => {
  const chain = Array.from({ length: 10 }, (_, i) =>
    backup(`b${i}`, nowMs - i * day, {
      coversFromMicros: BigInt(nowMs - (i + 3) * day) * 1000n,
    }),
  );
  const context = { ...utc, windowMs: 7 * day };
  expect(keptBy(chain, { keepLast: 1 }, context)).toEqual(["b0", "b3", "b6"]);
  expect(windowCoveredMs(chain, nowMs)).toBe(12 * day);
});

test("rejects counts out of range with the field", () => {
  for (const count of [0, -1, 1.5, 10_001, Number.NaN])
    expect(() => checkRetention({ keepDaily: count }, "retention")).toThrow(
      expect.objectContaining({ metadata: { field: "retention.keep_daily" } }),
    );
  checkRetention({ keepDaily: 10_000, keepLast: 1 }, "retention");
});

/** A small generator of repeatable random numbers (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function history(next: () => number): RetainedBackup[] {
  const count = Math.floor(next() * 40);
  return Array.from({ length: count }, (_, i) => {
    const endMs = nowMs - Math.floor(next() ** 2 * 900 * day) + (next() < 0.02 ? 2 * day : 0);
    const needs = next() < 0.2 ? [`b${Math.floor(next() * count)}`] : [];
    return backup(`b${i}`, endMs, {
      series: next() < 0.8 ? "a" : "b",
      coversFromMicros: BigInt(endMs - Math.floor(next() * 60 * day)) * 1000n,
      verified: next() < 0.7,
      pinned: next() < 0.1,
      needs,
    });
  });
}

function someRules(next: () => number): RetentionRules {
  const count = () => 1 + Math.floor(next() * 12);
  const rule = (name: keyof RetentionRules) => (next() < 0.4 ? { [name]: count() } : {});
  return {
    ...rule("keepLast"),
    ...rule("keepHourly"),
    ...rule("keepDaily"),
    ...rule("keepWeekly"),
    ...rule("keepMonthly"),
    ...rule("keepYearly"),
    ...(next() < 0.2 && { keepWithinMs: count() * day }),
  };
}

describe("in random histories", () => {
  const cases = Array.from({ length: 600 }, (_, seed) => {
    const next = random(seed + 1);
    const windowMs = next() < 0.5 ? Math.floor(next() * 400) * day : undefined;
    const timeZone = next() < 0.5 ? "UTC" : "America/New_York";
    return {
      backups: history(next),
      rules: someRules(next),
      more: 1 + Math.floor(next() * 5),
      context: { nowMs, timeZone, ...(windowMs && { windowMs }) },
    };
  });
  const keptOf = (
    backups: RetainedBackup[],
    rules: RetentionRules,
    context: (typeof cases)[0]["context"],
  ) => {
    const names = new Set(keptBy(backups, rules, context));
    return backups.filter(({ name }) => names.has(name));
  };

  test("never removes a pinned, the newest or the newest verified backup", () => {
    for (const { backups, rules, context } of cases) {
      const kept = keptOf(backups, rules, context);
      expect(kept).toEqual(expect.arrayContaining(backups.filter(({ pinned }) => pinned)));
      for (const series of ["a", "b"]) {
        const newest = (some: RetainedBackup[]) =>
          some
            .filter((one) => one.series === series)
            .reduce((max, one) => (one.coversToMicros > max ? one.coversToMicros : max), -1n);
        expect(newest(kept)).toBe(newest(backups));
        const isVerified = ({ verified }: RetainedBackup) => verified;
        expect(newest(kept.filter(isVerified))).toBe(newest(backups.filter(isVerified)));
      }
    }
  });

  test("never breaks a chain", () => {
    for (const { backups, rules, context } of cases) {
      const kept = keptOf(backups, rules, context);
      const names = new Set(kept.map(({ name }) => name));
      for (const { needs = [], series } of kept)
        for (const name of needs) {
          const needed = backups.find((one) => one.name === name);
          if (needed?.series === series) expect(names).toContain(name);
        }
    }
  });

  test("removes nothing when it decides again on what stays", () => {
    for (const { backups, rules, context } of cases) {
      const kept = keptOf(backups, rules, context);
      expect(keptOf(kept, rules, context)).toEqual(kept);
    }
  });

  test("keeps at least as much with larger counts", () => {
    for (const { backups, rules, context, more } of cases) {
      if (Object.keys(rules).length === 0) continue;
      // What the window needs depends on what else stays, so that it is another property.
      const { windowMs: _window, ...rest } = context;
      const larger = Object.fromEntries(
        Object.entries(rules as Record<string, number>).map(([name, value]) => [
          name,
          name === "keepWithinMs" ? value + more * day : value + more,
        ]),
      );
      expect(keptOf(backups, larger, rest)).toEqual(
        expect.arrayContaining(keptOf(backups, rules, rest)),
      );
    }
  });

  test("covers the window as far as it was covered", () => {
    for (const { backups, rules, context } of cases) {
      const { windowMs } = context;
      if (windowMs === undefined) continue;
      for (const series of ["a", "b"]) {
        const own = (some: RetainedBackup[]) => some.filter((one) => one.series === series);
        const before = windowCoveredMs(own(backups), nowMs);
        const after = windowCoveredMs(own(keptOf(backups, rules, context)), nowMs);
        expect(after).toBeGreaterThanOrEqual(Math.min(before, windowMs));
      }
    }
  });
});

test("decides on 10,000 backups", () => {
  const many = Array.from({ length: 10_000 }, (_, i) => backup(`b${i}`, nowMs - i * hour));
  const rules = { keepHourly: 48, keepDaily: 30, keepMonthly: 12 };
  const kept = keptBy(many, rules, { ...utc, windowMs: 365 * day } as typeof utc);
  // Each backup covers an hour, so that the window needs one for each hour.
  expect(kept.length).toBe(365 * 24);
});
