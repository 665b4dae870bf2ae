import { windowCoveredMs } from "./window.js";

/** Backups from pairs of milliseconds. */
const backups = (...pairs: [number, number][]) =>
  pairs.map(([from, to]) => ({
    coversFromMicros: BigInt(from) * 1000n,
    coversToMicros: BigInt(to) * 1000n,
  }));

test("is zero without backups", () => {
  expect(windowCoveredMs([], 1000)).toBe(0);
});

test("reaches back to the first gap", () => {
  const list = backups([900, 1000], [100, 300], [500, 700], [700, 950], [0, 50]);
  expect(windowCoveredMs(list, 1500)).toBe(500);
});

test("a long backup covers the gaps between shorter ones", () => {
  expect(windowCoveredMs(backups([900, 1000], [500, 600], [100, 950]), 1000)).toBe(900);
});

test("microseconds that follow each other leave no gap", () => {
  const list = [
    { coversFromMicros: 5_001n, coversToMicros: 9_000n },
    { coversFromMicros: 1_000n, coversToMicros: 5_000n },
  ];
  expect(windowCoveredMs(list, 10)).toBe(8);
});

test("does not count what is later than now", () => {
  expect(windowCoveredMs(backups([0, 1000], [2000, 3000]), 1500)).toBe(1000);
  expect(windowCoveredMs(backups([0, 1000]), 400)).toBe(400);
  expect(windowCoveredMs(backups([2000, 3000]), 1500)).toBe(0);
});

test("ignores a backup that ends before it begins", () => {
  expect(windowCoveredMs(backups([800, 1000], [900, 300]), 1000)).toBe(200);
});
