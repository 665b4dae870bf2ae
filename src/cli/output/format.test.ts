import { formatTime } from "../../io/time.js";
import { timeFormatter } from "../time.js";
import { clockWarning, formatAge, formatBytes, formatCount, formatDuration } from "./format.js";

test("formats sizes in decimal units", () => {
  expect([0n, 999n, 1000n, 1_234_567n, 999_960n, 5_000_000_000_000n].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 MB",
    "1.0 MB",
    "5.0 TB",
  ]);
});

test("formats durations with at most two units", () => {
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

test("formats ages of unset times and under small clock skew", () => {
  expect(formatAge(0n, 10n)).toBe("never");
  expect(formatAge(20n, 10n)).toBe("just now");
  expect(formatAge(1n, 61_000_001n)).toBe("1m 1s ago");
});

test("warns about a time ahead of the clock", () => {
  const now = 1_795_361_018_605_007n;
  expect(formatAge(now + 7_500_000_000n, now)).toBe("2h 5m ahead of the clock");
  expect(clockWarning("/core/x", now + 7_500_000_000n, now, formatTime)).toMatch(
    /^Warning: the last change of \/core\/x is 2h 5m ahead of the clock\..*until 2026-11-22T17:28:38/,
  );
  expect(clockWarning("/core/x", now + 1_000_000n, now, formatTime)).toBe("");
});

test("formats counts with their noun", () => {
  expect(formatCount(1n, "document")).toBe("1 document");
  expect(formatCount(20_510, "document")).toBe("20,510 documents");
});

test("prints times in RFC 3339, and in microseconds with --micros", () => {
  const times = [0n, 1_795_361_018_605_007n];
  expect(times.map(timeFormatter(false))).toEqual(["none", "2026-11-22T15:23:38.605007Z"]);
  expect(times.map(timeFormatter(true))).toEqual(["none", "1795361018605007"]);
});
