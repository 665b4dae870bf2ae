import { readFileSync } from "node:fs";
import { exitCode, HostError, httpStatus, reasons, type Reason } from "../src/errors.js";

/** docs/errors.md is written by hand; its entries must match the code. */
const rows = [
  ...readFileSync("docs/errors.md", "utf8").matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm),
].map(([, reason = "", rest = ""]) => {
  const [code, http, exit, retry, meaning, action] = rest.split("|").map((cell) => cell.trim());
  return { reason, code, http: Number(http), exit: Number(exit), retry, meaning, action };
});

test("documents every reason exactly once", () => {
  expect(rows.map(({ reason }) => reason).sort()).toEqual(Object.keys(reasons).sort());
});

test.each(rows)("$reason: code, statuses and advice", ({ reason, meaning, action, ...row }) => {
  const error = new HostError(reason as Reason, "");
  expect(row).toEqual({
    code: error.code,
    http: httpStatus(error),
    exit: exitCode(error),
    retry: error.retryable ? "yes" : "no",
  });
  for (const text of [meaning, action]) expect(text).toMatch(/^[A-Z`].{7,}\.$/);
});
