import { rateTracker, type ProgressState } from "./progress.js";

const state = (
  stage: string,
  done: number,
  unit: "bytes" | "records" = "records",
  detail = "",
): ProgressState => ({ stage, done, total: 1000, unit, detail });

test("shows the rate and remaining time of each stage after one second", () => {
  let now = 0;
  const withRate = rateTracker(() => now);
  expect(withRate(state("one", 100)).detail).toBe("");
  now = 500;
  expect(withRate(state("one", 200)).detail).toBe("");
  now = 2000;
  expect(withRate(state("one", 500)).detail).toBe("200/s, ETA 2.5 s");
  expect(withRate(state("two", 0, "bytes")).detail).toBe("");
  now = 4000;
  expect(withRate(state("two", 1000, "bytes", "1.0 kB")).detail).toBe("1.0 kB, 500 B/s");
});

test("keeps a rate that the detail has, and shows none without progress", () => {
  let now = 0;
  const withRate = rateTracker(() => now);
  withRate(state("one", 0));
  now = 3000;
  expect(withRate(state("one", 0)).detail).toBe("");
  expect(withRate(state("one", 300, "bytes", "300 B, 2 MB/s, ETA 9.0 s")).detail).toBe(
    "300 B, 2 MB/s, ETA 9.0 s",
  );
});
