import type { OperationOutcome } from "./operation.js";
import { fromStoredResult, toStoredResult } from "./stored-result.js";

const cases: [string, unknown, unknown][] = [
  [
    "the plan of a restore",
    { warnings: [], plan: { discardedVersions: 3, backup: { segments: [{ name: "s" }] } } },
    { warnings: [], forecast: { versionsLeftOut: 3, backup: { segments: [{ name: "s" }] } } },
  ],
  ["a restore of documents", { selection: { kept: 2 } }, { selection: { left: 2 } }],
  ["a metadata check", { level: "METADATA" }, { level: "LIST" }],
  ["a test restore", { level: "TEST_RESTORE" }, { level: "TRIAL" }],
  ["a full check", { level: "FULL", records: 1 }, { level: "FULL", records: 1 }],
];

test.each(cases)("keeps the stored form of %s", (_, result, stored) => {
  expect(toStoredResult(result as OperationOutcome)).toEqual(stored);
  expect(fromStoredResult(stored)).toEqual(result);
});
