import { dirname, join } from "node:path";
import { requireParent } from "../destination/file/parent.js";
import { HostError } from "../errors.js";
import { decodeManifest, type ManifestFile } from "../segment/manifest.js";
import { isSegmentName, parseManifestName } from "../segment/names.js";
import { publishFile, temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import { errnoOf } from "../io/file-system.js";
import { acquireLease, type HeldLease, type Lease } from "../io/lease.js";
import type { LeaseOptions } from "../io/lease-options.js";
import { readChunks, readRange, readSmallFile, writeStream } from "../io/read-file.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { ContainerReader, ContainerWriter, FoundManifest } from "./container.js";
import { newestFirst } from "./newest-first.js";

/** What a backup to an archive in the directory works with: the lease beside the archive guards it. */
export const zipWorkPrefix = `${temporaryPrefix}zip-`;

const leaseName = `${temporaryPrefix}lease`;
/** The lease of a directory: whoever writes to it or removes from it holds it. */
export const leasePath = (directory: string) => join(directory, leaseName);

/** Directories in which somebody merges segments, and the lease in each of them. */
export const mergePrefix = `${temporaryPrefix}merge-`;
export const mergeLease = "lease";

/** Names of segments that a holder of the lease is about to put in place or remove: what a crash leaves of them, the next backup removes. */
const pendingPrefix = `${temporaryPrefix}pending`;
const pendingNameOf = (owner: string) => `${pendingPrefix}-${owner}.json`;

/**
 * Every manifest in a list of names, newest first, without those that are gone (`read` gives undefined). A damaged manifest is told,
 * never passed over; one that cannot be read for another reason is an error of its own. BACKUP_FOREIGN where they are
 * more, or take more bytes, than any host leaves at one place: nothing of what is at a destination is believed before it is bounded.
 */
export async function readManifests(
  names: string[],
  read: (name: string) => Promise<Uint8Array | undefined>,
): Promise<FoundManifest[]> {
  const wanted = names
    .filter((name) => parseManifestName(name) !== undefined)
    .sort()
    .reverse();
  if (wanted.length > limits.manifestsPerDestination) {
    throw new HostError(
      "BACKUP_FOREIGN",
      `There are ${wanted.length} manifests at the destination, more than any host leaves there.`,
    );
  }
  const found: FoundManifest[] = [];
  let bytesRead = 0;
  for (const name of wanted) {
    try {
      const bytes = await read(name);
      if (bytes === undefined) continue;
      bytesRead += bytes.length;
      if (bytesRead > limits.manifestsBytes)
        throw new HostError(
          "BACKUP_FOREIGN",
          `The manifests at the destination have more than ${limits.manifestsBytes} bytes together, more than any host leaves there.`,
        );
      const { sha256, manifest } = decodeManifest(name, bytes);
      found.push({ name, file: { name, sha256, manifest } });
    } catch (error) {
      const thrown = HostError.from(fromFileError(error, `Reading the manifest ${name}`));
      if (thrown.reason !== "BACKUP_DAMAGED") throw thrown;
      found.push({ name, problem: thrown.message });
    }
  }
  return newestFirst(found);
}

/** How often a list of manifests that are all gone is made anew. */
const listAttempts = 5;

export function openDirectoryReader(
  platform: Pick<Platform, "files">,
  path: string,
): ContainerReader {
  const { files } = platform;

  async function readAll(listsLeft: number): Promise<FoundManifest[]> {
    const names = await files.list(path);
    let gone = false;
    const found = await readManifests(names, async (name) => {
      try {
        return await readSmallFile(files, join(path, name), limits.manifestBytes);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
        gone = true;
        return undefined;
      }
    });
    // A backup replaces its manifest: the new one may not have been in the list yet.
    if (gone && found.length === 0 && listsLeft > 0) return readAll(listsLeft - 1);
    if (found.length === 0 && names.some((name) => /^segments_\w+$/.test(name)))
      throw xenonBackup(path);
    return found;
  }

  return {
    kind: "DIRECTORY",
    path,
    manifests: () => readAll(listAttempts),
    async sizeOf(name) {
      const status = await files.status(join(path, name));
      return status?.kind === "file" ? status.sizeBytes : undefined;
    },
    async fetch(wanted, signal, onBytes) {
      for (const { segment, path: target } of wanted) {
        await writeStream(
          files,
          target,
          readChunks(files, join(path, segment.name), signal),
          segment.sizeBytes,
          signal,
          true,
        );
        onBytes?.(segment.sizeBytes);
      }
    },
    bytesOf: ({ name, sizeBytes }, signal) =>
      readRange(
        files,
        join(path, name),
        { offset: 0, end: sizeBytes, pieceBytes: limits.copyChunkBytes },
        signal,
      ),
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
export async function openDirectoryWriter(
  platform: Platform,
  path: string,
  signal: AbortSignal,
  lease?: LeaseOptions,
  spare?: string,
): Promise<ContainerWriter> {
  const { files } = platform;
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
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `destination ${path} must be a local directory for incremental backup.`,
      );
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
        return await acquireLease(platform, leasePath(path), signal, lease);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" || left === 0) throw error;
      }
    }
  }

  async function open(): Promise<ContainerWriter> {
    const reader = openDirectoryReader(platform, path);
    const existing = await reader.manifests(signal);
    await removeLeftovers(existing);
    const staging = join(path, `${temporaryPrefix}staging-${platform.randomHex(8)}`);
    await files.makeDirectory(staging);
    return {
      stagingDirectory: staging,
      existing,
      lease: held,
      holds: async (segment) => (await reader.sizeOf(segment.name)) === segment.sizeBytes,
      async commit(staged, manifest, options) {
        await held.assertHeld();
        await announce(
          platform,
          path,
          held,
          staged.map(({ segment }) => segment.name),
        );
        let bytesWritten = manifest.bytes.length;
        for (const { segment, path: from } of staged) {
          const to = join(path, segment.name);
          await held.assertHeld();
          await publishFile({ files }, from, to);
          await platform.failpoint("backup:segment-renamed");
          await options.readBack({ segment, path: to });
          await platform.failpoint("backup:segment-read-back");
          bytesWritten += segment.sizeBytes;
          options.onBytes(segment.sizeBytes);
        }
        options.signal.throwIfAborted();
        await held.assertHeld();
        await writeFileDurably(platform, join(path, manifest.name), manifest.bytes);
        await readManifestBack(manifest);
        await requireListed(reader, manifest);
        await platform.failpoint("backup:manifest-written");
        await files.remove(join(path, pendingNameOf(held.owner)));
        return { bytesWritten, verified: true, warnings: [] };
      },
      removeUnused: (unused) =>
        removeBackups(platform, path, held, {
          names: unused.map(({ name }) => name),
          segments: unused.flatMap(({ manifest }) => manifest.segments.map(({ name }) => name)),
        }),
      async close() {
        // Its name is of this backup alone, whoever holds the lease by now.
        await files.removeTree(staging).catch(() => {});
        await removePending().catch(() => {});
        await held.release();
        // What the first backup made and could not fill.
        if (made) await files.removeEmptyDirectory(path).catch(() => {});
      },
    };
  }

  /** Another host may have taken the lease over and cleaned up between the last look and the rename: then this is no backup. */
  async function requireListed(
    reader: ContainerReader,
    { name, manifest }: ManifestFile,
  ): Promise<void> {
    for (const segment of manifest.segments) {
      if ((await reader.sizeOf(segment.name)) === segment.sizeBytes) continue;
      await files.remove(join(path, name));
      await held.assertHeld();
      throw new HostError(
        "BACKUP_DAMAGED",
        `${segment.name} is gone from ${path} or was changed while the backup was written, so there is no new backup. Keep other programs out of the directory, and back up again.`,
        { metadata: { file: segment.name } },
      );
    }
  }

  async function readManifestBack(manifest: ManifestFile): Promise<void> {
    const bytes = await readSmallFile(files, join(path, manifest.name), limits.manifestBytes);
    if (!bytes.equals(manifest.bytes)) {
      throw new HostError(
        "BACKUP_DAMAGED",
        `The manifest ${manifest.name} did not read back as it was written: the disk under ${path} fails.`,
      );
    }
  }

  /** What a backup that did not end left under our temporary names or announced and did not finish. */
  async function removeLeftovers(existing: FoundManifest[]): Promise<void> {
    await removePending(existing);
    for (const name of await files.list(path)) {
      if (
        !name.startsWith(temporaryPrefix) ||
        name.startsWith(zipWorkPrefix) ||
        name === leaseName ||
        name === spare ||
        (await isAlive(name))
      )
        continue;
      await held.assertHeld();
      await files.removeTree(join(path, name));
    }
  }

  /** Whether somebody merges in a directory: its lease is as young as ours, by the clock of the file system itself. */
  async function isAlive(name: string): Promise<boolean> {
    if (!name.startsWith(mergePrefix)) return false;
    const [theirs, ours] = await Promise.all([
      files.status(join(path, name, mergeLease)),
      files.status(leasePath(path)),
    ]);
    return (
      theirs !== undefined &&
      ours !== undefined &&
      ours.modifiedMs - theirs.modifiedMs < limits.leaseSilentMs
    );
  }

  /** What this backup or, at the begin, others have announced and not finished. Only the holder of the lease may touch it. */
  async function removePending(existing?: FoundManifest[]): Promise<void> {
    await held.assertHeld();
    const mine = pendingNameOf(held.owner);
    const announced = (await files.list(path)).filter((name) =>
      existing === undefined
        ? name === mine
        : name.startsWith(pendingPrefix) && name.endsWith(".json"),
    );
    for (const name of announced) {
      const segments = await readPending(platform, join(path, name));
      await removeSegments(
        platform,
        path,
        held,
        segments,
        existing ?? (await openDirectoryReader(platform, path).manifests(signal)),
      );
      await held.assertHeld();
      await files.remove(join(path, name));
    }
  }
}

/** The segments that a pending file names; none where it cannot be understood: then nothing is removed because of it. */
async function readPending({ files }: Pick<Platform, "files">, path: string): Promise<string[]> {
  try {
    const names: unknown = JSON.parse(
      (await readSmallFile(files, path, limits.manifestBytes)).toString("utf8"),
    );
    return Array.isArray(names)
      ? names.filter((name): name is string => typeof name === "string" && isSegmentName(name))
      : [];
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError || error instanceof HostError)
      return [];
    throw error;
  }
}

/** Notes down segments that are about to come or go: after a crash the next backup removes those that no manifest needs. */
async function announce(
  { files }: Pick<Platform, "files">,
  path: string,
  { owner }: HeldLease,
  names: readonly string[],
): Promise<void> {
  const target = join(path, pendingNameOf(owner));
  await files.remove(target);
  const file = await files.create(target);
  try {
    await file.write(Buffer.from(JSON.stringify(names)), 0);
  } finally {
    await file.close();
  }
}

/** Removes segments that none of the manifests lists; none at all where one of them cannot be read, since it may need any. */
async function removeSegments(
  { files }: Pick<Platform, "files">,
  path: string,
  lease: HeldLease,
  names: readonly string[],
  manifests: readonly FoundManifest[],
): Promise<string[]> {
  if (manifests.some((found) => "problem" in found)) return [];
  const needed = new Set(
    manifests.flatMap((found) =>
      "file" in found ? found.file.manifest.segments.map(({ name }) => name) : [],
    ),
  );
  const present = new Set(await files.list(path));
  const unused = [...new Set(names)].filter(
    (name) => isSegmentName(name) && present.has(name) && !needed.has(name),
  );
  for (const name of unused) {
    await lease.assertHeld();
    await files.remove(join(path, name));
  }
  return unused;
}

export interface UnusedFiles {
  /** Of manifests. */
  names: readonly string[];
  /** Of segments that may go with them. */
  segments: readonly string[];
}

/** Removes manifests, and then the segments that no manifest lists by then. DESTINATION_BUSY as soon as the lease is lost. */
export async function removeBackups(
  platform: Platform,
  path: string,
  lease: HeldLease,
  unused: UnusedFiles,
): Promise<string[]> {
  const { files } = platform;
  await lease.assertHeld();
  const present = await files.list(path);
  const manifests = present.filter(
    (name) => unused.names.includes(name) && parseManifestName(name) !== undefined,
  );
  if (manifests.length === 0) return [];
  await announce(platform, path, lease, unused.segments);
  for (const name of manifests) {
    await lease.assertHeld();
    await files.remove(join(path, name));
  }
  await files.syncDirectory(path);
  const left = await openDirectoryReader(platform, path).manifests(lease.signal);
  const segments = await removeSegments(platform, path, lease, unused.segments, left);
  await files.syncDirectory(path);
  await files.remove(join(path, pendingNameOf(lease.owner)));
  await platform.failpoint("backup:unused-removed");
  return [...manifests, ...segments];
}
