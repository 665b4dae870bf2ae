import { limits } from "../limits.js";
import { longestPauseMs, pauseAfter } from "./retry-schedule.js";

test("nine retries follow the first attempt, over three days", () => {
  const pauses = Array.from({ length: 10 }, (_, i) => pauseAfter(i + 1, 0, 0));
  expect(pauses).toEqual([...limits.deliveryRetriesMs, undefined]);
  const totalMs = limits.deliveryRetriesMs.reduce((sum, ms) => sum + ms, 0);
  expect(totalMs).toBe(((75 * 60 + 35) * 60 + 5) * 1000);
});

test("jitter makes a pause longer, and never longer than the longest pause", () => {
  expect(pauseAfter(1, 0.5, 0)).toBe(5_500);
  for (let tries = 1; tries <= 9; tries += 1)
    expect(pauseAfter(tries, 0.999_999, 0)).toBeLessThanOrEqual(longestPauseMs);
});

test("Retry-After makes a pause longer within its bound, and never shorter", () => {
  expect(pauseAfter(1, 0, 60_000)).toBe(60_000);
  expect(pauseAfter(2, 0, 60_000)).toBe(300_000);
  expect(pauseAfter(1, 0, 1e12)).toBe(limits.deliveryRetryAfterMaxMs);
  expect(pauseAfter(10, 0, 60_000)).toBeUndefined();
});
