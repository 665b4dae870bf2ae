import { encodeManifest, type ManifestFile, type Segment } from "../segment/manifest.js";
import { segmentName } from "../segment/format.js";
import { limits } from "../limits.js";
import { planBackup } from "./plan.js";

const sha256 = "ab".repeat(32);
function segment(
  kind: "base" | "delta",
  firstMicros: number,
  lastMicros: number,
  sizeBytes = 1000,
): Segment {
  const content = { kind, firstMicros, lastMicros, sizeBytes, sha256, records: 1, prunes: 0 };
  return { ...content, name: segmentName(content) };
}
function chain(...segments: Segment[]): ManifestFile {
  return encodeManifest({
    number: 1,
    indexId: "i",
    indexLink: "/core/document-index",
    hostId: "h",
    productVersion: "0",
    lineage: "l",
    parents: [],
    createTimeMicros: 1,
    positionMicros: segments.at(-1)?.lastMicros ?? 0,
    window: { earliestMicros: 1, latestMicros: 1, historyStartMicros: 1 },
    documents: 1,
    versions: 1,
    segments,
    previousManifestSha256: "",
  });
}
const snapshot = { indexId: "i", lineage: "l", positionMicros: 500 };
const base = segment("base", 0, 100, 100_000);

test("writes a base without a backup of this lineage", () => {
  expect(planBackup({ snapshot, chain: undefined, full: false, append: false })).toMatchObject({
    kind: "base",
  });
});

test("extends a complete chain", () => {
  const file = chain(base, segment("delta", 100, 200));
  expect(
    planBackup({ snapshot, chain: { file, whole: true }, full: false, append: false }),
  ).toMatchObject({ kind: "delta", afterMicros: 200, keep: 2 });
});

test("does not extend a chain whose last verification found damage, with or without changes", () => {
  for (const end of [200, 500]) {
    const file = chain(base, segment("delta", 100, end));
    expect(
      planBackup({
        snapshot,
        chain: { file, whole: true, damaged: true },
        full: false,
        append: true,
      }),
    ).toMatchObject({ kind: "base", reason: expect.stringContaining("damage") as string });
  }
});

test("writes only a manifest without changes", () => {
  const file = chain(segment("base", 0, 500));
  expect(
    planBackup({ snapshot, chain: { file, whole: true }, full: false, append: false }),
  ).toMatchObject({ kind: "unchanged" });
});

test.each([
  ["a hole in the chain", chain(base), false, false, snapshot],
  ["a full one asked for", chain(base), true, true, snapshot],
  ["a chain beyond the index", chain(base, segment("delta", 100, 900)), true, false, snapshot],
  ["an empty base", chain(segment("base", 0, 0)), true, false, snapshot],
  [
    "deltas of more than half of the base",
    chain(base, segment("delta", 100, 200, 50_001)),
    true,
    false,
    snapshot,
  ],
])("%s: a new base", (_name, file, whole, full, at) => {
  expect(planBackup({ snapshot: at, chain: { file, whole }, full, append: false })).toMatchObject({
    kind: "base",
    reason: expect.any(String) as string,
  });
});

test("replaces too many deltas with one delta from the base", () => {
  const deltas = Array.from({ length: limits.chainDeltas }, (_, i) =>
    segment("delta", 100 + i, 101 + i, 10),
  );
  const file = chain(base, ...deltas);
  expect(
    planBackup({ snapshot, chain: { file, whole: true }, full: false, append: false }),
  ).toMatchObject({ kind: "delta", afterMicros: 100, keep: 1 });
});
