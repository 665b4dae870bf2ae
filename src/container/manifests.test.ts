import { createHash } from "node:crypto";
import { encodeManifest, type Manifest } from "../segment/manifest.js";
import { limits } from "../limits.js";
import { readManifests } from "./manifests.js";

const { signal } = new AbortController();

interface History {
  lineage?: string;
  parents?: string[];
}

function manifest(
  number: number,
  positionMicros: number,
  { lineage = "l", parents = [] }: History = {},
  createTimeMicros = positionMicros,
  fields: Partial<Manifest> = {},
) {
  const sha256 = "0".repeat(64);
  const base = {
    kind: "base" as const,
    firstMicros: 0,
    lastMicros: positionMicros,
    records: 1,
    prunes: 0,
    sizeBytes: 1,
    sha256,
    name: `base-0-${positionMicros}-0000000000000000.sqlite`,
  };
  const window = { earliestMicros: 5, latestMicros: createTimeMicros, historyStartMicros: 5 };
  const names = {
    indexId: "i",
    indexLink: "/core/document-index",
    hostId: "h",
    productVersion: "1",
    lineage,
    parents: parents.map((parent) => ({ indexId: "i", lineage: parent, positionMicros: 1 })),
    previousManifestSha256: "",
  };
  return encodeManifest({
    ...names,
    number,
    createTimeMicros,
    positionMicros,
    window,
    documents: 1,
    versions: 1,
    segments: [base],
    ...fields,
  });
}

async function order(...manifests: { name: string; bytes: Uint8Array }[]): Promise<number[]> {
  const byName = new Map(manifests.map(({ name, bytes }) => [name, bytes]));
  const found = await readManifests(
    ["notes.txt", ...byName.keys()],
    async (name) => byName.get(name) ?? new Uint8Array(),
    signal,
  );
  return found.map(({ name }) => Number(name.split("-")[1]));
}

test("orders by position, then by number", async () => {
  expect(await order(manifest(1, 10), manifest(2, 20), manifest(3, 30))).toEqual([3, 2, 1]);
  // The directory was emptied after number 7, and backups from before and after were copied
  // together.
  expect(await order(manifest(6, 60), manifest(7, 70), manifest(1, 80), manifest(2, 90))).toEqual([
    2, 1, 7, 6,
  ]);
  expect(await order(manifest(2, 20), manifest(10, 20), manifest(1, 20))).toEqual([10, 2, 1]);
});

test("orders a damaged manifest before those with smaller numbers", async () => {
  const damaged = (number: number) => ({ ...manifest(number, 1), bytes: Buffer.from("{}") });
  expect(await order(manifest(1, 10), damaged(2))).toEqual([2, 1]);
  expect(await order(damaged(1), manifest(2, 20), manifest(3, 30))).toEqual([3, 2, 1]);
  expect(await order(manifest(1, 10), damaged(2), manifest(3, 30))).toEqual([3, 2, 1]);
  // The position of a damaged manifest is unknown. An error is better than restoring an older
  // backup.
  expect(await order(manifest(6, 60), damaged(7), manifest(1, 80))).toEqual([7, 1, 6]);
  expect(await order(damaged(1))).toEqual([1]);
});

test("orders a backup after a restore before the restored one, regardless of the clock", async () => {
  const ahead = manifest(1, 1000, { lineage: "first" });
  const restored = manifest(2, 60, { lineage: "second", parents: ["first"] });
  const again = manifest(3, 50, { lineage: "third", parents: ["first", "second"] });
  expect(await order(ahead, restored, again)).toEqual([3, 2, 1]);
  expect(await order(again, ahead)).toEqual([3, 1]);
});

test("orders backups of an index and of another one restored from it by position", async () => {
  const first = manifest(3, 100, { lineage: "first" });
  const fork = manifest(2, 80, { lineage: "second", parents: ["first"] }, 80, {
    indexId: "another",
  });
  expect(await order(first, fork)).toEqual([3, 2]);
  expect(
    await order(
      first,
      manifest(4, 120, { lineage: "second", parents: ["first"] }, 120, { indexId: "another" }),
    ),
  ).toEqual([4, 3]);
});

test("ignores the creation time of manifests", async () => {
  expect(await order(manifest(2, 60), manifest(1, 50, {}, limits.maxTimeMicros))).toEqual([2, 1]);
});

test.each<[string, Partial<Manifest>]>([
  ["a time after the year 2112", { createTimeMicros: 2 ** 53 - 1 }],
  ["a number without a successor", { number: 9_999_999_999 }],
  ["a name with an escape sequence", { hostId: "\u001b[2J" }],
  ["a name that is too long", { indexId: "x".repeat(5000) }],
])("rejects a manifest with %s", async (_what, field) => {
  const { name, bytes } = manifest(1, 50, {}, 50, field);
  const [found] = await readManifests([name], async () => bytes, signal);
  expect(found).toMatchObject({ name, problem: expect.stringContaining("is damaged") as string });
});

test("rejects manifests that exceed the limit of their total size", async () => {
  const { bytes } = manifest(1, 50);
  const padded = Buffer.concat([bytes, Buffer.alloc(limits.manifestBytes - bytes.length, " ")]);
  const sha256 = createHash("sha256").update(padded).digest("hex").slice(0, 16);
  let reads = 0;
  const names = Array.from(
    { length: 250 },
    (_, i) => `manifest-${String(i + 1).padStart(10, "0")}-${sha256}.json`,
  );
  const read = async () => {
    reads += 1;
    return padded;
  };
  await expect(readManifests(names, read, signal)).rejects.toMatchObject({
    reason: "BACKUP_FOREIGN",
  });
  expect(reads).toBeLessThan(18 + limits.manifestReads);
});
