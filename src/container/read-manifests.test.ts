import { encodeManifest } from "../format/manifest.js";
import { readManifests } from "./directory.js";

function manifest(number: number, createTimeMicros: number) {
  const sha256 = "0".repeat(64);
  const base = { kind: "base" as const, firstMicros: 0, lastMicros: 5, records: 1, prunes: 0, sizeBytes: 1, sha256, name: "base-0-5-0000000000000000.sqlite" };
  const window = { earliestMicros: 5, latestMicros: createTimeMicros, historyStartMicros: 5 };
  const names = { indexId: "i", indexLink: "/core/document-index", hostId: "h", productVersion: "1", lineage: "l", parents: [], previousManifestSha256: "" };
  return encodeManifest({ ...names, number, createTimeMicros, positionMicros: 5, window, documents: 1, versions: 1, segments: [base] });
}

async function order(...manifests: { name: string; bytes: Uint8Array }[]): Promise<number[]> {
  const byName = new Map(manifests.map(({ name, bytes }) => [name, bytes]));
  const found = await readManifests(["notes.txt", ...byName.keys()], async (name) => byName.get(name) ?? new Uint8Array());
  return found.map(({ name }) => Number(name.split("-")[1]));
}

test("the newest was made last; of two of one moment the one with the greater number", async () => {
  expect(await order(manifest(1, 10), manifest(2, 20), manifest(3, 30))).toEqual([3, 2, 1]);
  // The directory was cleared after 7: what came then has small numbers, and both were copied to one place.
  expect(await order(manifest(6, 60), manifest(7, 70), manifest(1, 80), manifest(2, 90))).toEqual([2, 1, 7, 6]);
  expect(await order(manifest(2, 20), manifest(10, 20), manifest(1, 20))).toEqual([10, 2, 1]);
});

test("a damaged one goes before those of smaller numbers, so that it is not passed over for one of them", async () => {
  const damaged = (number: number) => ({ ...manifest(number, 1), bytes: Buffer.from("{}") });
  expect(await order(manifest(1, 10), damaged(2))).toEqual([2, 1]);
  expect(await order(damaged(1), manifest(2, 20), manifest(3, 30))).toEqual([3, 2, 1]);
  expect(await order(manifest(1, 10), damaged(2), manifest(3, 30))).toEqual([3, 2, 1]);
  // Nobody can tell when it was made: rather an error than an older backup in its place.
  expect(await order(manifest(6, 60), damaged(7), manifest(1, 80))).toEqual([7, 1, 6]);
  expect(await order(damaged(1))).toEqual([1]);
});
