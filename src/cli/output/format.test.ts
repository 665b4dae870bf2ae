import { formatAge, formatBytes, clockWarning, count, moment, formatDuration } from "./format.js";

test("sizes are in powers of 1000", () => {
  expect([0n, 999n, 1000n, 1_234_567n, 999_960n, 5_000_000_000_000n].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 MB",
    "1.0 MB",
    "5.0 TB",
  ]);
});

test("spans have at most two parts", () => {
  expect(
    [
      0n,
      1_230_000n,
      59_940_000n,
      60_000_000n,
      90_000_000n,
      3_600_000_000n,
      7_500_000_000n,
      97_200_000_000n,
      172_800_000_000n,
    ].map(formatDuration),
  ).toEqual(["0.0 s", "1.2 s", "59.9 s", "1m", "1m 30s", "1h", "2h 5m", "1d 3h", "2d"]);
});

test("ages of what never was and of clocks that differ", () => {
  expect([formatAge(0n, 10n), formatAge(20n, 10n), formatAge(1n, 61_000_001n)]).toEqual([
    "never",
    "just now",
    "1m 1s ago",
  ]);
});

test("a time ahead of the clock is called that", () => {
  const now = 1_795_361_018_605_007n;
  expect(formatAge(now + 7_500_000_000n, now)).toBe("2h 5m ahead of the clock");
  expect(clockWarning("/core/x", now + 7_500_000_000n, now)).toMatch(
    /^Warning: the log of \/core\/x is 2h 5m ahead of the clock\..*until 2026-11-22T17:28:38/,
  );
  expect(clockWarning("/core/x", now + 1_000_000n, now)).toBe("");
});

test("counts and moments", () => {
  expect([count(1n, "document"), count(20_510, "document")]).toEqual([
    "1 document",
    "20,510 documents",
  ]);
  expect([moment(0n), moment(1_795_361_018_605_007n)]).toEqual([
    "none",
    "2026-11-22T15:23:38.605007Z (1795361018605007)",
  ]);
});
