import { watchRate, type ProgressState } from "./progress.js";

const state = (
  stage: string,
  done: number,
  unit: "bytes" | "records" = "records",
  detail = "",
): ProgressState => ({ stage, done, total: 1000, unit, detail });

test("a stage has its own rate and how much longer it takes, from a second on", () => {
  let now = 0;
  const rated = watchRate(() => now);
  expect(rated(state("one", 100)).detail).toBe("");
  now = 500;
  expect(rated(state("one", 200)).detail).toBe("");
  now = 2000;
  expect(rated(state("one", 500)).detail).toBe("200/s, ETA 2.5 s");
  expect(rated(state("two", 0, "bytes")).detail).toBe("");
  now = 4000;
  expect(rated(state("two", 1000, "bytes", "1.0 kB")).detail).toBe("1.0 kB, 500 B/s");
});

test("what says it itself is left as it is, and what does not move has none", () => {
  let now = 0;
  const rated = watchRate(() => now);
  rated(state("one", 0));
  now = 3000;
  expect(rated(state("one", 0)).detail).toBe("");
  expect(rated(state("one", 300, "bytes", "300 B, 2 MB/s, ETA 9.0 s")).detail).toBe(
    "300 B, 2 MB/s, ETA 9.0 s",
  );
});
