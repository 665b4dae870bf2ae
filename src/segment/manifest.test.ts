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
  from = manifest,
): [string, Buffer] {
  const json = JSON.parse(Buffer.from(encodeManifest(from).bytes).toString()) as Parameters<
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

/** A compressed base, and a delta that is compressed and encrypted. */
const gzipBase = {
  ...content,
  stored: {
    compression: "gzip" as const,
    encrypted: false,
    sizeBytes: 90,
    sha256: "0b".repeat(32),
  },
};
const secretDelta = {
  ...delta,
  sha256: "",
  stored: { compression: "zstd" as const, encrypted: true, sizeBytes: 80, sha256: "0c".repeat(32) },
};
const recipient = `age1${"q".repeat(58)}`;
const { boundingLink: _link, ...times } = manifest.window;
const stored: Manifest = {
  ...manifest,
  window: times,
  segments: [gzipBase, secretDelta].map((one) => ({ ...one, name: segmentName(one) })),
  encryption: { recipients: [recipient] },
};

describe("version 2", () => {
  const version = ({ bytes }: { bytes: Uint8Array }) =>
    (JSON.parse(Buffer.from(bytes).toString()) as { formatVersion: number }).formatVersion;

  test("is written only for compressed or encrypted segments", () => {
    expect(version(encodeManifest(manifest))).toBe(1);
    expect(version(encodeManifest(stored))).toBe(2);
    const [base] = stored.segments.slice(0, 1);
    const { encryption: _none, ...plain } = stored;
    const compressed = { ...plain, segments: [base!], positionMicros: base!.lastMicros };
    expect(version(encodeManifest(compressed))).toBe(2);
  });

  test("names stored forms by the digest of the file, and decodes what it encodes", () => {
    expect(stored.segments.map(({ name }) => name.replace(/^.*-/, ""))).toEqual([
      `${"0b".repeat(8)}.sqlite.gz`,
      `${"0c".repeat(8)}.sqlite.zst.age`,
    ]);
    const file = encodeManifest(stored);
    expect(decodeManifest(file.name, file.bytes).manifest).toEqual(stored);
  });

  test("decodes a chain of plain, compressed and encrypted segments, with a passphrase", () => {
    const last = {
      ...secretDelta,
      firstMicros: delta.lastMicros,
      lastMicros: delta.lastMicros + 9,
      stored: { ...secretDelta.stored, compression: "none" as const },
    };
    const segments = [
      { ...content, name: segmentName(content) },
      { ...delta, stored: gzipBase.stored },
      last,
    ].map((one) => ({ ...one, name: segmentName(one) }));
    const mixed = {
      ...stored,
      segments,
      positionMicros: last.lastMicros,
      encryption: { recipients: [] },
    };
    expect(segments[2]?.name).toMatch(/\.sqlite\.age$/);
    const file = encodeManifest(mixed);
    expect(decodeManifest(file.name, file.bytes).manifest).toEqual(mixed);
  });

  type Segments = Record<string, unknown>[];
  const setSegment = (i: number, more: object) => (json: { segments: Segments }) =>
    (json.segments[i] = { ...json.segments[i], ...more });
  const setStored = (i: number, more: object) => (json: { segments: Segments }) =>
    (json.segments[i] = {
      ...json.segments[i],
      stored: { ...(json.segments[i]?.["stored"] as object), ...more },
    });
  test.each<[string, Parameters<typeof changed>[0]]>([
    ["format 1", (json) => (json["formatVersion"] = 1)],
    ["no stored form of an encrypted segment", (json) => delete json.segments[1]?.["stored"]],
    ["no stored form of a compressed segment", (json) => delete json.segments[0]?.["stored"]],
    ["no encryption beside an encrypted segment", (json) => delete json["encryption"]],
    ["a digest of an encrypted database", setSegment(1, { sha256: "0d".repeat(32) })],
    ["no digest of a compressed database", setSegment(0, { sha256: "" })],
    ["no digest of a stored form", setStored(1, { sha256: "" })],
    ["another digest of a stored form", setStored(1, { sha256: "0e".repeat(32) })],
    ["a digest in upper case", setStored(1, { sha256: "0C".repeat(32) })],
    ["another compression than in the name", setStored(0, { compression: "COMPRESSION_ZSTD" })],
    ["an unknown compression", setStored(0, { compression: 9 })],
    ["a negative size of a stored form", setStored(0, { sizeBytes: "-1" })],
    ["a size of a stored form that is not exact", setStored(0, { sizeBytes: "9007199254740993" })],
    [
      "a stored form that is neither compressed nor encrypted",
      setSegment(0, {
        name: segmentName({ ...gzipBase, stored: { ...gzipBase.stored, compression: "none" } }),
        stored: {
          compression: "COMPRESSION_UNSPECIFIED",
          sizeBytes: "90",
          sha256: gzipBase.stored.sha256,
        },
      }),
    ],
    ["a recipient with spaces", (json) => (json["encryption"] = { recipients: [` ${recipient}`] })],
    [
      "a recipient with a control character",
      (json) => (json["encryption"] = { recipients: [`${recipient}\u001b`] }),
    ],
    [
      "too many recipients",
      (json) =>
        (json["encryption"] = { recipients: Array.from({ length: 1000 }, () => recipient) }),
    ],
  ])("rejects a manifest with %s", (_name, change) => {
    expect(() => decodeManifest(...changed(change, 7, stored))).toThrow(
      expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error,
    );
  });
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
