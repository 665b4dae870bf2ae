import { dirname, join } from "node:path";
import { requireParent } from "../destination/parent.js";
import { HostError } from "../errors.js";
import { decodeManifest, type Manifest, type ManifestFile } from "../format/manifest.js";
import { isSegmentName, parseManifestName } from "../format/naming.js";
import { publishFile, temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import { errnoOf } from "../io/file-system.js";
import { acquireLease, type Lease } from "../io/lease.js";
import type { LeaseOptions } from "../io/lease-options.js";
import { readChunks, readRange, readSmallFile, writeStream } from "../io/read-file.js";
import type { Seams } from "../io/seams.js";
import { limits } from "../limits.js";
import type { ContainerReader, ContainerWriter, FoundManifest } from "./container.js";

const leaseName = `${temporaryPrefix}lease`;
/** The lease of a directory: whoever writes to it or removes from it holds it. */
export const leasePath = (directory: string) => join(directory, leaseName);

/** Directories in which somebody merges segments, and the lease in each of them. */
export const mergePrefix = `${temporaryPrefix}merge-`;
export const mergeLease = "lease";

/** Names that a backup is about to put in place: what a crash leaves of them, the next backup removes. */
const pendingName = `${temporaryPrefix}pending.json`;

/**
 * Every manifest in a list of names, newest first: by when it was made, which no clock that goes back turns round for one
 * index, and then by number. Numbers alone would not do: they begin anew in a directory that was cleared, and copies
 * of both may lie in one place. A damaged manifest is told, never passed over; its number alone says where it belongs.
 */
export async function readManifests(names: string[], read: (name: string) => Promise<Uint8Array>): Promise<FoundManifest[]> {
  const wanted = names.filter((name) => parseManifestName(name) !== undefined).sort().reverse();
  if (wanted.length > limits.manifestsPerDestination) {
    throw new HostError("BACKUP_FOREIGN", `There are ${wanted.length} manifests at the destination, more than any host leaves there.`);
  }
  const found: FoundManifest[] = [];
  for (const name of wanted) {
    try {
      found.push({ name, file: decodeManifest(name, await read(name)) });
    } catch (error) {
      if (error instanceof HostError && error.reason !== "BACKUP_DAMAGED") throw error;
      found.push({ name, problem: error instanceof Error ? error.message : "it cannot be read" });
    }
  }
  return newestFirst(found);
}

const numberOf = ({ name }: FoundManifest) => parseManifestName(name)?.number ?? 0;

function newestFirst(found: FoundManifest[]): FoundManifest[] {
  const createTime = (one: FoundManifest) => ("file" in one ? one.file.manifest.createTimeMicros : 0);
  const ordered: FoundManifest[] = found.filter((one) => "file" in one).sort((a, b) => createTime(b) - createTime(a) || numberOf(b) - numberOf(a));
  for (const damaged of found.filter((one) => "problem" in one)) {
    const older = ordered.findIndex((one) => numberOf(one) < numberOf(damaged));
    ordered.splice(older < 0 ? ordered.length : older, 0, damaged);
  }
  return ordered;
}

export function openDirectoryReader(seams: Pick<Seams, "files">, path: string): ContainerReader {
  const { files } = seams;
  return {
    kind: "DIRECTORY",
    path,
    async manifests() {
      const names = await files.list(path);
      const found = await readManifests(names, (name) => readSmallFile(files, join(path, name), limits.manifestBytes));
      if (found.length === 0 && names.some((name) => /^segments_\w+$/.test(name))) throw xenonBackup(path);
      return found;
    },
    async sizeOf(name) {
      const status = await files.status(join(path, name));
      return status?.kind === "file" ? status.sizeBytes : undefined;
    },
    async fetch(wanted, signal, onBytes) {
      for (const { segment, path: target } of wanted) {
        await writeStream(files, target, readChunks(files, join(path, segment.name), signal), segment.sizeBytes, signal);
        onBytes?.(segment.sizeBytes);
      }
    },
    bytesOf: ({ name, sizeBytes }, signal) => readRange(files, join(path, name), { offset: 0, end: sizeBytes, pieceBytes: limits.copyChunkBytes }, signal),
    close: async () => {},
  };
}

/** What both containers say of a backup that Xenon made: it holds Lucene's files, which only a Xenon reads. */
export function xenonBackup(path: string): HostError {
  return new HostError(
    "BACKUP_FROM_XENON",
    `${path} is a backup made by Xenon (a Lucene index). Restore it into a Xenon host and copy the documents from there with: holdfast import --from-xenon`,
  );
}

const enterAttempts = 20;

/**
 * Takes the lease of the directory, which is made if it is missing (its parent is not), and removes leftovers; `spare` is
 * the name of one in it that is none, since whoever opens it is still at work there.
 */
export async function openDirectoryWriter(seams: Seams, path: string, signal: AbortSignal, lease?: LeaseOptions, spare?: string): Promise<ContainerWriter> {
  const { files } = seams;
  let made = false;
  const held = await enter();
  try {
    return await open();
  } catch (error) {
    await held.release();
    throw error;
  }

  async function makeIfMissing(): Promise<void> {
    const status = await files.status(path);
    if (status && status.kind !== "directory") {
      throw new HostError("DESTINATION_OCCUPIED", `destination ${path} must be a local directory for incremental backup.`);
    }
    if (status) return;
    await requireParent(files, path);
    // Another backup may be making it at the same moment: who goes first is settled by the lease in it.
    await files.makeDirectory(path).catch((error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
    });
    made = true;
    await files.syncDirectory(dirname(path));
  }

  /** A first backup that failed takes the empty directory away with it: one that waited for its lease makes it again. */
  async function enter(): Promise<Lease> {
    for (let left = enterAttempts; ; left -= 1) {
      await makeIfMissing();
      try {
        return await acquireLease(seams, leasePath(path), signal, lease);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" || left === 0) throw error;
      }
    }
  }

  async function open(): Promise<ContainerWriter> {
    const reader = openDirectoryReader(seams, path);
    const existing = await reader.manifests(signal);
    await removeLeftovers(existing);
    const staging = join(path, `${temporaryPrefix}staging-${seams.randomHex(8)}`);
    await files.makeDirectory(staging);
    return {
      stagingDirectory: staging,
      existing,
      holds: async (segment) => (await reader.sizeOf(segment.name)) === segment.sizeBytes,
      async commit(staged, manifest, options) {
        const names = staged.map(({ segment }) => segment.name);
        await announce(seams, path, names);
        let bytesWritten = manifest.bytes.length;
        for (const { segment, path: from } of staged) {
          const to = join(path, segment.name);
          await publishFile({ files }, from, to);
          await seams.step("backup:segment-renamed");
          await options.readBack({ segment, path: to });
          await seams.step("backup:segment-read-back");
          bytesWritten += segment.sizeBytes;
          options.onBytes(segment.sizeBytes);
        }
        options.signal.throwIfAborted();
        await held.assertHeld();
        await writeFileDurably(seams, join(path, manifest.name), manifest.bytes);
        await readManifestBack(manifest);
        await seams.step("backup:manifest-written");
        await files.remove(join(path, pendingName));
        return { bytesWritten, verified: true, warnings: [] };
      },
      async removeUnused(unused, keep) {
        await held.assertHeld();
        return removeBackups(seams, path, unused, keep);
      },
      async close() {
        await files.removeTree(staging).catch(() => {});
        await removePending().catch(() => {});
        await held.release();
        // What the first backup made and could not fill.
        if (made) await files.removeEmptyDirectory(path).catch(() => {});
      },
    };
  }

  async function readManifestBack(manifest: ManifestFile): Promise<void> {
    const bytes = await readSmallFile(files, join(path, manifest.name), limits.manifestBytes);
    if (!bytes.equals(manifest.bytes)) {
      throw new HostError("BACKUP_DAMAGED", `The manifest ${manifest.name} did not read back as it was written: the disk under ${path} fails.`);
    }
  }

  /** What a backup that did not end left under our temporary names or announced and did not finish. */
  async function removeLeftovers(existing: FoundManifest[]): Promise<void> {
    await removePending(existing);
    for (const name of await files.list(path)) {
      if (!name.startsWith(temporaryPrefix) || name === leaseName || name === spare || (await isAlive(name))) continue;
      await files.removeTree(join(path, name));
    }
  }

  /** Whether somebody merges in a directory: its lease is as young as ours, by the clock of the file system itself. */
  async function isAlive(name: string): Promise<boolean> {
    if (!name.startsWith(mergePrefix)) return false;
    const [theirs, ours] = await Promise.all([files.status(join(path, name, mergeLease)), files.status(leasePath(path))]);
    return theirs !== undefined && ours !== undefined && ours.modifiedMs - theirs.modifiedMs < limits.leaseSilentMs;
  }

  async function removePending(known?: FoundManifest[]): Promise<void> {
    let names: string[];
    try {
      names = JSON.parse((await readSmallFile(files, join(path, pendingName), limits.manifestBytes)).toString("utf8")) as string[];
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return;
      throw error;
    }
    const existing = known ?? (await openDirectoryReader(seams, path).manifests(signal));
    // A manifest that cannot be read may need them.
    if (existing.every((found) => "file" in found)) {
      const needed = new Set(existing.flatMap((found) => ("file" in found ? found.file.manifest.segments.map(({ name }) => name) : [])));
      for (const name of names) if (isSegmentName(name) && !needed.has(name)) await files.remove(join(path, name));
    }
    await files.remove(join(path, pendingName));
  }
}

/** Notes down segments that are about to come or go: after a crash the next backup removes those that no manifest needs. */
async function announce({ files }: Pick<Seams, "files">, path: string, names: string[]): Promise<void> {
  const target = join(path, pendingName);
  await files.remove(target);
  const file = await files.create(target);
  try {
    await file.write(Buffer.from(JSON.stringify(names)), 0);
  } finally {
    await file.close();
  }
}

/** Removes manifests, and then the segments that only they list. The caller holds the lease. */
export async function removeBackups(seams: Seams, path: string, unused: Manifest[], keep: Manifest[]): Promise<string[]> {
  const { files } = seams;
  const needed = new Set(keep.flatMap((manifest) => manifest.segments.map((segment) => segment.name)));
  const numbers = new Set(unused.map(({ number }) => number).filter((number) => !keep.some((manifest) => manifest.number === number)));
  const present = await files.list(path);
  const manifests = present.filter((name) => numbers.has(parseManifestName(name)?.number ?? -1));
  const segments = present.filter((name) => !needed.has(name) && unused.some((manifest) => manifest.segments.some((segment) => segment.name === name)));
  if (manifests.length + segments.length === 0) return [];
  await announce(seams, path, segments);
  for (const name of manifests) await files.remove(join(path, name));
  await files.syncDirectory(path);
  for (const name of segments) await files.remove(join(path, name));
  await files.syncDirectory(path);
  await files.remove(join(path, pendingName));
  await seams.step("backup:unused-removed");
  return [...manifests, ...segments];
}
