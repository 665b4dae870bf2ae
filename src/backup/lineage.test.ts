import type { IndexState, LineageParent } from "../engine/engine.js";
import { limits } from "../limits.js";
import { parentsAfter } from "./lineage.js";

const one = (lineage: string, positionMicros = 5): LineageParent => ({
  indexId: "i",
  lineage,
  positionMicros,
});
const index = (lineage: string, parents: LineageParent[], positionMicros = 9) => ({
  indexId: () => "i",
  lineage: () => lineage,
  state: () =>
    Promise.resolve({
      indexId: "i",
      lineage,
      parents,
      versions: positionMicros,
      positionMicros,
    } as IndexState),
});

test("a restore is newer than the replaced lineage and its ancestors", async () => {
  expect(
    await parentsAfter(index("third", [one("first"), one("second")]), [one("first", 3)]),
  ).toEqual([one("second", 0), one("third", 0), one("first", 3)]);
});

test("a restore of the live lineage lists it once", async () => {
  expect(
    await parentsAfter(index("second", [one("first")]), [one("first"), one("second", 7)]),
  ).toEqual([one("first"), one("second", 7)]);
});

test("the undo of an undo is newer than the undo", async () => {
  const undone = index("third", [one("second", 0), one("first")]);
  expect(await parentsAfter(undone, [one("first"), one("second")])).toEqual([
    one("third", 0),
    one("first"),
    one("second"),
  ]);
});

test("an empty index adds no parent, and a damaged index does not prevent a restore", async () => {
  expect(await parentsAfter(index("fresh", [], 0), [one("first")])).toEqual([one("first")]);
  expect(
    await parentsAfter(
      { ...index("live", []), state: () => Promise.reject(new Error("damaged")) },
      [one("first")],
    ),
  ).toEqual([one("live", 0), one("first")]);
});

test("limits the parents and keeps the newest", async () => {
  const parents = Array.from({ length: 2 * limits.lineageParents }, (_, i) => one(`l${i}`));
  const after = await parentsAfter(index("live", parents), [one("source")]);
  expect(after).toHaveLength(limits.lineageParents);
  expect(after.slice(-2)).toEqual([one("live", 0), one("source")]);
});
