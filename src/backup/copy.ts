import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ContainerReader, ContainerWriter, StagedSegment } from "../container/container.js";
import { openDirectoryWriter } from "../container/directory-writer.js";
import type { Destination } from "../destination/destination.js";
import { readBack, readObject, requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { temporaryName } from "../io/durable-file.js";
import { requireFreeSpace } from "../io/free-space.js";
import type { Platform } from "../io/platform.js";
import { readChunks } from "../io/read-file.js";
import { limits } from "../limits.js";
import type { BackupDescription } from "../segment/description.js";
import { signatureName } from "../segment/format.js";
import {
  fileBytesOf,
  fileOf,
  type ManifestFile,
  type Segment,
  type StoredManifest,
} from "../segment/manifest.js";
import { requireRoom } from "./backup.js";
import type { Report } from "./progress.js";

/** Result of a copy. */
export interface CopyResult {
  /** The newest copy. */
  backup: BackupDescription;
  bytesWritten: number;
  /** Segments that were not at the destination yet. */
  segmentsWritten: number;
  /** Whether the destination had no backups. */
  foundNone: boolean;
  warnings: string[];
  /** Names of the backups that were not at the destination yet, oldest first, the last limits.copiedNames. */
  copiedBackups: string[];
}

/** Backups to copy. */
export interface CopyTask {
  reader: ContainerReader;
  /** What `reader` reads. */
  source: Destination;
  manifest: StoredManifest;
  /** Earlier backups, newest first. Those are copied, too, that are newer than what the destination has. */
  earlier: readonly StoredManifest[];
  destination: Destination;
  /** Whether the last verification of a copy, by the SHA-256 of its manifest, found damage. */
  isDamaged(manifestSha256: string): boolean;
  /** Called when the segments of such a copy were written again. */
  onRepaired(manifestSha256: string): Promise<void>;
}

/**
 * Copies backups file by file, with their signatures, so that a copy has the name and the digest of the
 * original. Copies only segments that the destination does not have, or in whose backup damage was found;
 * each is compared with its digest when it was read, and when it was stored. Throws BACKUP_DAMAGED if the
 * source is damaged; damage of an earlier backup is thrown when the others are copied.
 */
export async function copyBackups(
  platform: Platform,
  task: CopyTask,
  signal: AbortSignal,
  report: Report,
): Promise<Omit<CopyResult, "backup">> {
  const writer = await openDirectoryWriter(platform, task.destination, signal).catch(
    async (error: unknown) => {
      await task.destination.close();
      throw error;
    },
  );
  const either = AbortSignal.any([signal, writer.lease.signal]);
  const total: Copied = { bytesWritten: 0, segmentsWritten: 0, warnings: [], copiedBackups: [] };
  const foundNone = writer.existing.length === 0;
  let damage: HostError | undefined;
  let added = 0;
  try {
    damage = await repair(platform, task, writer, { signal: either, report, total });
    for (const manifest of missingBackups(task, writer)) {
      either.throwIfAborted();
      try {
        const copied = await copyOne(platform, task, { manifest, added }, writer, either, report);
        added += copied.copiedBackups.length;
        add(total, copied);
      } catch (error) {
        if (!(error instanceof HostError) || error.reason !== "BACKUP_DAMAGED") throw error;
        damage ??= error;
      }
    }
    if (damage) throw damage;
    return { ...total, foundNone };
  } catch (error) {
    if (!signal.aborted) await writer.lease.assertHeld();
    throw error;
  } finally {
    await writer.close();
  }
}

type Copied = Omit<CopyResult, "backup" | "foundNone">;

function add(total: Copied, one: Copied): void {
  total.bytesWritten += one.bytesWritten;
  total.segmentsWritten += one.segmentsWritten;
  total.warnings = [...new Set([...total.warnings, ...one.warnings])];
  total.copiedBackups = [...total.copiedBackups, ...one.copiedBackups].slice(-limits.copiedNames);
}

/** Returns the backups to copy, oldest first. If the destination has all, that is the newest, which is read back. */
function missingBackups(
  { manifest, earlier }: CopyTask,
  { existing }: ContainerWriter,
): StoredManifest[] {
  const present = new Set(existing.map(({ name }) => name));
  const all = [manifest, ...earlier];
  const known = all.findIndex(({ name }) => present.has(name));
  const missing = known < 0 ? all : all.slice(0, Math.max(known, 1));
  return missing.reverse();
}

/** Writes the segments of copies in which damage was found again. Returns the damage of the source, if it has some. */
async function repair(
  platform: Platform,
  task: CopyTask,
  writer: ContainerWriter,
  { signal, report, total }: { signal: AbortSignal; report: Report; total: Copied },
): Promise<HostError | undefined> {
  const { destination, reader } = task;
  const known = new Set([task.manifest, ...task.earlier].map(({ name }) => name));
  const damaged = writer.existing.flatMap((found) =>
    "file" in found && known.has(found.name) && task.isDamaged(found.file.sha256)
      ? [found.file]
      : [],
  );
  const segments = new Map(
    damaged.flatMap(({ manifest }) => manifest.segments.map((one) => [one.name, one])),
  );
  if (segments.size === 0) return undefined;
  try {
    const missing = [...segments.values()];
    const staged = await stage(platform, { reader, destination, writer, missing }, signal, report);
    for (const { segment, path } of staged) {
      await writer.lease.assertHeld();
      await destination.put(segment.name, { path }, { ...fileOf(segment), signal });
      await readBack(destination, segment.name, fileOf(segment), signal);
      await platform.files.remove(path);
      total.bytesWritten += fileBytesOf(segment);
      total.segmentsWritten += 1;
    }
  } catch (error) {
    if (error instanceof HostError && error.reason === "BACKUP_DAMAGED") return error;
    throw error;
  }
  for (const { name, sha256 } of damaged) {
    await task.onRepaired(sha256);
    total.warnings.push(`The copy ${name} was damaged, and its segments were written again.`);
  }
  return undefined;
}

async function copyOne(
  platform: Platform,
  { reader, source, destination }: CopyTask,
  { manifest: stored, added }: { manifest: StoredManifest; added: number },
  writer: ContainerWriter,
  signal: AbortSignal,
  report: Report,
): Promise<Copied> {
  const manifest = await manifestFileOf(source, stored, signal);
  const missing = await missingSegments(writer, manifest);
  if (missing.length === 0 && hasManifest(writer, manifest)) {
    await readBackManifest(destination, manifest, signal);
    return { bytesWritten: 0, segmentsWritten: 0, warnings: [], copiedBackups: [] };
  }
  requireRoom(writer.existing.length + added);
  const staged = await stage(platform, { reader, destination, writer, missing }, signal, report);
  try {
    report({ stage: "writing" });
    let bytesDone = 0;
    const { bytesWritten, warnings } = await writer.commit(staged, manifest, {
      signal,
      store: false,
      readBack: (each) => requireDigest(platform, each, signal),
      onBytes: (count) => report({ bytesDone: (bytesDone += count) }),
    });
    const copiedBackups = [stored.name];
    return { bytesWritten, segmentsWritten: staged.length, warnings, copiedBackups };
  } finally {
    // Many backups do not take the space of all of them.
    for (const { path } of staged) await platform.files.remove(path);
  }
}

/** Reads the manifest as it is stored: another version of Holdfast may have written it. */
async function manifestFileOf(
  source: Destination,
  stored: StoredManifest,
  signal: AbortSignal,
): Promise<ManifestFile> {
  requireCapability(source, "list", "copy backups");
  const bytes = await readObject(source, stored.name, limits.manifestBytes, signal);
  const name = signatureName(stored.name);
  const signature =
    (await source.stat(name, signal)) === undefined
      ? undefined
      : (await readObject(source, name, limits.manifestBytes, signal)).toString("latin1");
  return { ...stored, bytes, signature };
}

async function missingSegments(
  writer: ContainerWriter,
  { manifest }: ManifestFile,
): Promise<Segment[]> {
  if (await writer.contains(manifest.segments)) return [];
  const missing: Segment[] = [];
  for (const segment of manifest.segments)
    if (!(await writer.contains([segment]))) missing.push(segment);
  return missing;
}

function hasManifest({ existing }: ContainerWriter, { sha256 }: ManifestFile) {
  return existing.some((found) => "file" in found && found.file.sha256 === sha256);
}

function readBackManifest(
  destination: Destination,
  { name, bytes, sha256 }: ManifestFile,
  signal: AbortSignal,
): Promise<void> {
  return readBack(destination, name, { sizeBytes: bytes.length, sha256 }, signal);
}

/** Reads the segments to local files and compares their digests. */
async function stage(
  platform: Platform,
  {
    reader,
    destination,
    writer,
    missing,
  }: Pick<CopyTask, "reader" | "destination"> & {
    writer: ContainerWriter;
    missing: readonly Segment[];
  },
  signal: AbortSignal,
  report: Report,
): Promise<StagedSegment[]> {
  const bytesTotal = missing.reduce((sum, segment) => sum + fileBytesOf(segment), 0);
  report({ stage: "reading", bytesDone: 0, bytesTotal });
  const { stagingDirectory } = writer;
  // The reserve is for documents: what is staged beside the copy takes the space that the copy will.
  if (!destination.localPath)
    await requireFreeSpace(platform.files, stagingDirectory, bytesTotal, "Copying the backup");
  const staged = missing.map((segment) => ({
    segment,
    path: join(stagingDirectory, temporaryName(platform)),
  }));
  let bytesDone = 0;
  await reader.fetch(staged, signal, (count) => report({ bytesDone: (bytesDone += count) }));
  for (const each of staged) await requireDigest(platform, each, signal);
  return staged;
}

async function requireDigest(
  { files }: Pick<Platform, "files">,
  { segment, path }: StagedSegment,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of readChunks(files, path, signal)) hash.update(chunk);
  if (hash.digest("hex") === fileOf(segment).sha256) return;
  throw new HostError(
    "BACKUP_DAMAGED",
    `${segment.name} does not have the digest that its manifest states. The backup was not copied. Verify the source with holdfast verify, and use another backup.`,
    { metadata: { file: segment.name } },
  );
}
