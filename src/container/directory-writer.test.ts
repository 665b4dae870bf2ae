import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { acquireLease } from "../io/lease.js";
import { systemPlatform } from "../io/platform.js";
import { encodeManifest, type ManifestFile } from "../segment/manifest.js";
import { segmentName } from "../segment/format.js";
import type { ContainerWriter, StagedSegment } from "./container.js";
import { FileDestination } from "../destination/file/destination.js";
import { openDirectoryWriter } from "./directory-writer.js";

const leasePath = (path: string) => join(path, ".holdfast-lease");
const mergePrefix = ".holdfast-merge-";
const mergeLease = "lease";
const openAt = (path: string) =>
  openDirectoryWriter(
    systemPlatform,
    new FileDestination({ platform: systemPlatform, path, create: true }),
    signal,
  );

const directory = mkdtempSync(join(tmpdir(), "holdfast-test-"));
afterAll(() => rmSync(directory, { recursive: true }));
const { signal } = new AbortController();

test("keeps staging areas of running merges and removes abandoned ones", async () => {
  const [alive, dead, never] = ["alive", "dead", "never"].map((name) =>
    join(directory, mergePrefix + name),
  );
  for (const path of [alive, dead, never]) {
    mkdirSync(path ?? "");
    writeFileSync(join(path ?? "", "segment"), "rows");
  }
  const lease = await acquireLease(systemPlatform, join(alive ?? "", mergeLease), signal);
  const leftBehind = join(dead ?? "", mergeLease);
  writeFileSync(leftBehind, "{}");
  const longAgo = Date.now() / 1000 - 60;
  utimesSync(leftBehind, longAgo, longAgo);

  const writer = await openAt(directory);
  await writer.close();
  await lease.release();
  expect(existsSync(join(alive ?? "", "segment"))).toBe(true);
  expect(existsSync(join(dead ?? "", "segment"))).toBe(false);
  expect(existsSync(join(never ?? "", "segment"))).toBe(false);
});

/** Creates a segment in the staging directory of a writer, and the manifest that lists it. */
function stagedBackup(
  writer: ContainerWriter,
  content: string,
  number = 1,
): { staged: StagedSegment; manifest: ManifestFile } {
  const sha256 = createHash("sha256").update(content).digest("hex");
  const properties = {
    kind: "base" as const,
    firstMicros: 0,
    lastMicros: number,
    records: 1,
    prunes: 0,
    sizeBytes: content.length,
    sha256,
  };
  const segment = { ...properties, name: segmentName(properties) };
  const path = join(writer.stagingDirectory, "segment");
  writeFileSync(path, content);
  const window = { earliestMicros: 1, latestMicros: number, historyStartMicros: 1 };
  const names = {
    indexId: "i",
    indexLink: "/core/document-index",
    hostId: "h",
    productVersion: "1",
    lineage: content,
    parents: [],
    previousManifestSha256: "",
  };
  return {
    staged: { segment, path },
    manifest: encodeManifest({
      ...names,
      number,
      createTimeMicros: number,
      positionMicros: number,
      window,
      documents: 1,
      versions: 1,
      segments: [segment],
    }),
  };
}

const options = (readBack: () => Promise<void> = async () => {}) => ({
  signal,
  store: false,
  readBack,
  onBytes: () => {},
});

describe("a stalled backup that lost its lease", () => {
  let path: string;
  let stalled: ContainerWriter;
  let other: ContainerWriter;
  beforeEach(async () => {
    path = join(mkdtempSync(join(directory, "lost-")), "backups");
    stalled = await openAt(path);
    // A waiter removes an expired lease.
    rmSync(leasePath(path));
    other = await openAt(path);
  });

  test("does not change the backup that took over", async () => {
    const theirs = stagedBackup(other, "theirs");
    await other.commit(
      [theirs.staged],
      theirs.manifest,
      options(async () => {
        // No manifest lists the segment yet.
        await stalled.close();
        expect(existsSync(join(path, theirs.staged.segment.name))).toBe(true);
      }),
    );
    await other.close();
    expect(readdirSync(path).sort()).toEqual(
      [theirs.staged.segment.name, theirs.manifest.name].sort(),
    );
  });

  test("neither writes a manifest nor removes a backup", async () => {
    const theirs = stagedBackup(other, "theirs");
    await other.commit([theirs.staged], theirs.manifest, options());
    await expect(stalled.commit([], theirs.manifest, options())).rejects.toMatchObject({
      reason: "DESTINATION_BUSY",
    });
    await expect(stalled.removeUnused([theirs.manifest])).rejects.toMatchObject({
      reason: "DESTINATION_BUSY",
    });
    await stalled.close();
    await other.close();
    expect(readdirSync(path)).toHaveLength(2);
  });
});

test("fails without a manifest if a segment disappears during the commit", async () => {
  const path = join(mkdtempSync(join(directory, "gone-")), "backups");
  const writer = await openAt(path);
  const { staged, manifest } = stagedBackup(writer, "rows");
  const removed = options(async () => rmSync(join(path, staged.segment.name)));
  await expect(writer.commit([staged], manifest, removed)).rejects.toMatchObject({
    reason: "BACKUP_DAMAGED",
  });
  await writer.close();
  expect(existsSync(join(path, manifest.name))).toBe(false);
});

test.each([
  "{nope",
  "5",
  "null",
  '[1, {"a": 2}]',
  '["../../etc/passwd", "base-0-1-0000000000000000.sqlite"]',
])("keeps listed segments and other files if a note contains %s", async (text) => {
  const path = mkdtempSync(join(directory, "pending-"));
  const listed = await openAt(path);
  const { staged, manifest } = stagedBackup(listed, "rows");
  await listed.commit([staged], manifest, options());
  await listed.close();
  writeFileSync(join(path, ".holdfast-pending-0123.json"), text);
  writeFileSync(join(path, "notes.txt"), "kept");
  await (await openAt(path)).close();
  expect(readdirSync(path).sort()).toEqual(
    [staged.segment.name, manifest.name, "notes.txt"].sort(),
  );
});

test("removes the named backup and keeps another one of the same number", async () => {
  const path = mkdtempSync(join(directory, "number-"));
  const writer = await openAt(path);
  const [mine, theirs] = [stagedBackup(writer, "mine"), stagedBackup(writer, "theirs")];
  for (const one of [mine, theirs]) {
    writeFileSync(one.staged.path, one === mine ? "mine" : "theirs");
    await writer.commit([one.staged], one.manifest, options());
  }
  await writer.removeUnused([mine.manifest]);
  await writer.close();
  expect(readdirSync(path).sort()).toEqual(
    [theirs.staged.segment.name, theirs.manifest.name].sort(),
  );
});
