import { limits } from "../limits.js";
import { createFailedLogins } from "./failed-logins.js";

test("delays responses to unknown tokens of one address increasingly, and reports them periodically", () => {
  let now = 0;
  const reports: unknown[] = [];
  const failed = createFailedLogins(
    () => now,
    (network, count) => reports.push([network, count]),
  );
  for (let i = 0; i < limits.failedLogins; i++) expect(failed.note("10.0.0.1")).toBe(0);
  const delays = Array.from({ length: 20 }, () => failed.note("::ffff:10.0.0.1"));
  expect(delays.slice(0, 3)).toEqual([20, 40, 80]);
  expect(delays.at(-1)).toBe(limits.failedLoginDelayMaxMs);
  expect(failed.note("10.0.0.2")).toBe(0);
  now += limits.failedLoginsMs + 1;
  expect(failed.note("10.0.0.1")).toBe(0);
  expect(reports).toEqual([
    ["10.0.0.1", 1],
    ["10.0.0.1", 9],
    ["10.0.0.2", 1],
    ["10.0.0.1", 20],
    ["10.0.0.1", 1],
  ]);
});
