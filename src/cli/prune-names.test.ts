import { namesToPrune } from "./prune-names.js";

const backup = (name: string, createTimeMicros: bigint, complete = true, indexId = "one") => ({
  name,
  createTimeMicros,
  complete,
  indexId,
});
const backups = [
  backup("broken", 50n, false),
  backup("d", 40n),
  backup("c", 30n),
  backup("b", 20n),
  backup("a", 10n),
];

test("keeps so many of the newest complete ones; damaged ones neither count nor go", () => {
  expect(namesToPrune(backups, { names: [], keep: 2 })).toEqual(["a", "b"]);
  expect(namesToPrune(backups, { names: [], keep: 9 })).toEqual([]);
});

test("what is older than a time goes, but never the newest complete one", () => {
  expect(namesToPrune(backups, { names: [], olderThanMicros: 30n })).toEqual(["a", "b"]);
  expect(namesToPrune(backups, { names: [], olderThanMicros: 1000n })).toEqual(["a", "b", "c"]);
});

test("keeps the newest by the order of the list: a clock that was ahead does not make a backup newer", () => {
  expect(
    namesToPrune([backup("newest", 10n), backup("clock ahead", 99n)], { names: [], keep: 1 }),
  ).toEqual(["clock ahead"]);
});

test("the only backup of an index stays, however many of another one are newer", () => {
  const mixed = [backup("other", 1n, true, "two"), ...backups];
  expect(namesToPrune(mixed, { names: [], keep: 1 })).toEqual(["a", "b", "c"]);
  expect(namesToPrune(mixed, { names: [], olderThanMicros: 1000n })).toEqual(["a", "b", "c"]);
});

test("by name even the newest goes, once", () =>
  expect(namesToPrune(backups, { names: ["d", "d"] })).toEqual(["d"]));

test("one rule, not none and not two", () => {
  const invalid = expect.objectContaining({ reason: "REQUEST_INVALID" });
  expect(() => namesToPrune(backups, { names: [] })).toThrow(invalid);
  expect(() => namesToPrune(backups, { names: ["a"], keep: 1 })).toThrow(invalid);
});
