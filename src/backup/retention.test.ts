import { namesToPrune } from "./retention.js";

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

test("keeps the newest complete backups; damaged ones are neither counted nor removed", () => {
  expect(namesToPrune(backups, { names: [], keep: 2 })).toEqual(["a", "b"]);
  expect(namesToPrune(backups, { names: [], keep: 9 })).toEqual([]);
});

test("removes backups older than a time, but never the newest complete one", () => {
  expect(namesToPrune(backups, { names: [], olderThanMicros: 30n })).toEqual(["a", "b"]);
  expect(namesToPrune(backups, { names: [], olderThanMicros: 1000n })).toEqual(["a", "b", "c"]);
});

test("takes the newest from the order of the list, not from creation times of a clock that was ahead", () => {
  expect(
    namesToPrune([backup("newest", 10n), backup("clock ahead", 99n)], { names: [], keep: 1 }),
  ).toEqual(["clock ahead"]);
});

test("keeps the only backup of an index, however many newer ones of another index exist", () => {
  const mixed = [backup("other", 1n, true, "two"), ...backups];
  expect(namesToPrune(mixed, { names: [], keep: 1 })).toEqual(["a", "b", "c"]);
  expect(namesToPrune(mixed, { names: [], olderThanMicros: 1000n })).toEqual(["a", "b", "c"]);
});

test("removes even the newest backup by name, once", () =>
  expect(namesToPrune(backups, { names: ["d", "d"] })).toEqual(["d"]));

test("requires exactly one rule", () => {
  const invalid = expect.objectContaining({ reason: "REQUEST_INVALID" });
  expect(() => namesToPrune(backups, { names: [] })).toThrow(invalid);
  expect(() => namesToPrune(backups, { names: ["a"], keep: 1 })).toThrow(invalid);
});
