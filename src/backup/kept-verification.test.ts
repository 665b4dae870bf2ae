import { limits } from "../limits.js";
import { parseVerification } from "./kept-verification.js";

const kept = {
  level: "TEST_RESTORE" as const,
  timeMicros: 1_766_000_000_000_001,
  passed: false,
  records: 7,
  problem: "a document differs",
  hostId: "host",
  documents: 3,
  restoreMicros: 1200,
  compared: true,
};

test("reads what it keeps", () => {
  expect(parseVerification(JSON.stringify(kept))).toEqual(kept);
  expect(parseVerification(JSON.stringify({ ...kept, later: 1 }))).toEqual(kept);
});

test.each<[string, object]>([
  ["an unknown level", { level: "PERFECT" }],
  ["no result", { passed: "yes" }],
  ["a time after all times", { timeMicros: Number.MAX_SAFE_INTEGER }],
  ["a negative count", { records: -1 }],
  ["a count that is not exact", { records: 2 ** 60 }],
])("ignores a file with %s", (_name, change) => {
  expect(parseVerification(JSON.stringify({ ...kept, ...change }))).toBeUndefined();
});

test("ignores what is no JSON object, and bounds texts", () => {
  for (const text of ["", "null", "[]", "{", '"x"'])
    expect(parseVerification(text)).toBeUndefined();
  const long = parseVerification(JSON.stringify({ ...kept, problem: "x".repeat(100_000) }));
  expect(long?.problem).toHaveLength(limits.backupErrorChars);
});
