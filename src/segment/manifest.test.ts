import { createHash } from "node:crypto";
import { decodeManifest, encodeManifest, type Manifest } from "./manifest.js";
import { isSegmentName, manifestName, parseManifestName, segmentName } from "./format.js";

const content = {
  kind: "base" as const,
  firstMicros: 0,
  lastMicros: 1_766_000_000_000_001,
  records: 3,
  prunes: 0,
  sizeBytes: 4_294_967_297,
  sha256: "0a".repeat(32),
};
const delta = {
  ...content,
  kind: "delta" as const,
  firstMicros: content.lastMicros,
  lastMicros: content.lastMicros + 5,
};
const manifest: Manifest = {
  number: 7,
  indexId: "index",
  indexLink: "/core/document-index",
  hostId: "host",
  productVersion: "1.2.3",
  lineage: "line",
  parents: [{ indexId: "index", lineage: "before", positionMicros: 12 }],
  createTimeMicros: 1_766_000_000_000_009,
  positionMicros: delta.lastMicros,
  window: {
    earliestMicros: 5,
    latestMicros: 1_766_000_000_000_009,
    historyStartMicros: 2,
    boundingLink: "/a/b",
  },
  documents: 2,
  versions: 6,
  segments: [content, delta].map((one) => ({ ...one, name: segmentName(one) })),
  previousManifestSha256: "ff".repeat(32),
};

/** A manifest file with changed JSON, under the name that matches the new contents. */
function changed(
  change: (json: Record<string, unknown> & { segments: Record<string, unknown>[] }) => void,
  number = 7,
): [string, Buffer] {
  const json = JSON.parse(Buffer.from(encodeManifest(manifest).bytes).toString()) as Parameters<
    typeof change
  >[0];
  change(json);
  const bytes = Buffer.from(JSON.stringify(json));
  return [manifestName(number, createHash("sha256").update(bytes).digest("hex")), bytes];
}

test("decodes an encoded manifest, and encodes equal manifests to equal bytes", () => {
  const file = encodeManifest(manifest);
  expect(file.name).toMatch(/^manifest-0000000007-[0-9a-f]{16}\.json$/);
  expect(decodeManifest(file.name, file.bytes).manifest).toEqual(manifest);
  expect(Buffer.from(encodeManifest(manifest).bytes).equals(file.bytes)).toBe(true);
});

test.each<[string, Parameters<typeof changed>[0]]>([
  [
    "a gap between segments",
    (json) => (json.segments[1] = { ...json.segments[1], firstMicros: "17" }),
  ],
  ["a delta first", (json) => json.segments.shift()],
  ["no segments", (json) => (json.segments = [])],
  [
    "a segment name that leads out of the directory",
    (json) => (json.segments[0] = { ...json.segments[0], name: "../../etc/passwd" }),
  ],
  [
    "a segment name that does not match the contents",
    (json) => (json.segments[0] = { ...json.segments[0], sha256: "bb".repeat(32) }),
  ],
  ["a negative size", (json) => (json.segments[0] = { ...json.segments[0], sizeBytes: "-1" })],
  ["a number that is not exact", (json) => (json["createTimeMicros"] = "9007199254740993")],
  ["a position beyond the segments", (json) => (json["positionMicros"] = "1766000000000900")],
  ["a number that differs from that in its name", (json) => (json["number"] = "8")],
  ["no window", (json) => delete json["window"]],
  ["format 0", (json) => (json["formatVersion"] = 0)],
])("rejects a manifest with %s", (_name, change) => {
  expect(() => decodeManifest(...changed(change))).toThrow(
    expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error,
  );
});

test("rejects a newer format with FORMAT_TOO_NEW, and ignores unknown fields", () => {
  expect(() => decodeManifest(...changed((json) => (json["formatVersion"] = 3)))).toThrow(
    expect.objectContaining({ reason: "FORMAT_TOO_NEW" }) as Error,
  );
  expect(decodeManifest(...changed((json) => (json["later"] = { a: 1 }))).manifest).toEqual(
    manifest,
  );
});

test("parses the names that it creates, and rejects other names", () => {
  expect(parseManifestName(manifestName(42, "0123456789abcdef00"))).toEqual({
    number: 42,
    digestPrefix: "0123456789abcdef",
  });
  for (const name of [
    "manifest-42-0123456789abcdef.json",
    "manifest-0000000042-0123456789abcdef.json.tmp",
    "x/manifest-0000000042-0123456789abcdef.json",
  ]) {
    expect(parseManifestName(name)).toBeUndefined();
  }
  expect(isSegmentName(segmentName(content))).toBe(true);
  for (const name of [
    "base-0-1-xyz.sqlite",
    "base-0-1-0123456789abcdef.sqlite-wal",
    "../base-0-1-0123456789abcdef.sqlite",
  ])
    expect(isSegmentName(name)).toBe(false);
});
