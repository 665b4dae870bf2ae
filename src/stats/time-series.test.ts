import { createStats } from "./stats.js";
import { timeSeries } from "./time-series.js";

const minute = 60_000_000;

test("assigns values to bins by time, keeps only the newest bins and ignores older values", () => {
  const series = timeSeries("PerHour", ["SUM"]);
  for (let n = 0; n < 70; n += 1) series.add(n * minute + 5, 1);
  series.add(69 * minute + 59_999_999, 2);
  series.add(0, 100);
  expect(series.bins.size).toBe(60);
  expect([...series.bins.keys()][0]).toBe(10 * 60_000);
  expect(series.bins.get(69 * 60_000)).toEqual({ count: 0, sum: 3 });
  expect(series.bins.get(0)).toBeUndefined();
});

test("keeps the aggregations of the series in each bin", () => {
  const series = timeSeries("PerDay", ["AVG", "MIN", "MAX", "SUM"]);
  for (const value of [4, 1, 7]) series.add(3_600_000_000 * 5 + 1, value);
  expect(series.bins.get(3_600_000 * 5)).toEqual({ count: 3, avg: 4, min: 1, max: 7, sum: 12 });
});

test("keeps counters and measurements in total, per hour and per day", () => {
  let now = 1_800_000_000_000_000;
  const stats = createStats(() => now);
  stats.count("backupCount");
  now += minute;
  stats.count("backupCount");
  stats.measure("backupBytes", 10);
  stats.measure("backupBytes", 30);
  stats.set("backupLastSuccessMicros", now);
  const of = (name: string) => stats.all().find((stat) => stat.name === name);
  expect(of("backupCount")).toEqual({
    name: "backupCount",
    latestValue: 2,
    accumulatedValue: 0,
    version: 2,
    lastUpdateMicros: now,
  });
  expect([...(of("backupCountPerHour")?.series?.bins.values() ?? [])]).toEqual([
    { count: 0, sum: 1 },
    { count: 0, sum: 1 },
  ]);
  expect(of("backupBytesPerDay")).toMatchObject({
    latestValue: 30,
    accumulatedValue: 40,
    version: 2,
    unit: "bytes",
  });
  expect(of("backupLastSuccessMicros")?.latestValue).toBe(now);
  expect(of("restoreLastSuccessMicros")).toBeUndefined();
});
