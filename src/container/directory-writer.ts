import { notePrefix, type Destination, type Lock } from "../destination/destination.js";
import { readBack, readObject, requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { unsharedLease, type HeldLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { ManifestFile } from "../segment/manifest.js";
import { isSegmentName, parseManifestName } from "../segment/format.js";
import type {
  ContainerReader,
  ContainerWriter,
  FoundManifest,
  StagedSegment,
} from "./container.js";
import { manifestsAt, namesIn, openDirectoryReader } from "./directory-reader.js";

/**
 * A note lists segments that the holder of the lock is about to add or remove. After a crash, the
 * next holder removes those of them that no manifest lists.
 */
const noteOf = ({ owner }: HeldLease) => `${notePrefix}${owner}.json`;

/** Locks a destination for a backup whose files become objects of it, and removes what interrupted backups left. */
export async function openDirectoryWriter(
  platform: Platform,
  destination: Destination,
  signal: AbortSignal,
): Promise<ContainerWriter> {
  requireCapability(destination, "list", "back up incrementally");
  requireCapability(destination, "remove", "back up incrementally");
  const lock = await destination.lock(undefined, signal);
  try {
    return await open();
  } catch (error) {
    await lock.release();
    throw error;
  }

  async function open(): Promise<ContainerWriter> {
    const reader = openDirectoryReader(platform, destination);
    const existing = await reader.manifests(signal);
    await removeNoted(destination, lock, existing);
    await destination.removeAbandoned(undefined, lock);
    const staging = await destination.stage({ lock });
    return {
      stagingDirectory: staging.directory,
      existing,
      lease: lock,
      holds: async (segment) => (await reader.sizeOf(segment.name, signal)) === segment.sizeBytes,
      async commit(staged, manifest, options) {
        await lock.assertHeld();
        await note(
          destination,
          lock,
          staged.map(({ segment }) => segment.name),
        );
        let bytesWritten = manifest.bytes.length;
        for (const one of staged) {
          await lock.assertHeld();
          await putSegment(one, options);
          bytesWritten += one.segment.sizeBytes;
          options.onBytes(one.segment.sizeBytes);
        }
        options.signal.throwIfAborted();
        await lock.assertHeld();
        await putManifest(manifest, options.signal);
        await requireListed(reader, manifest, options.signal);
        await platform.failpoint("backup:manifest-written");
        await removeNote(destination, lock);
        return { bytesWritten, verified: true, warnings: [] };
      },
      removeUnused: (unused) =>
        removeBackups(platform, destination, lock, {
          names: unused.map(({ name }) => name),
          segments: unused.flatMap(({ manifest }) => manifest.segments.map(({ name }) => name)),
        }),
      async close() {
        await staging.close().catch(() => {});
        await removeOwnNoted(destination, lock).catch(() => {});
        await lock.release();
        await destination.close();
      },
    };
  }

  type Options = Parameters<ContainerWriter["commit"]>[2];

  /** Stores a segment and verifies it: in place where it is a local file, otherwise before and by its digest after. */
  async function putSegment(staged: StagedSegment, options: Options): Promise<void> {
    const { segment, path } = staged;
    const { name, sizeBytes, sha256 } = segment;
    if (!destination.localPath) await options.readBack(staged);
    await destination.put(name, { path }, { sizeBytes, sha256, signal: options.signal });
    await platform.failpoint("backup:segment-renamed");
    if (destination.localPath)
      await options.readBack({ segment, path: destination.localPath(name) });
    else await readBack(destination, name, segment, options.signal);
    await platform.failpoint("backup:segment-read-back");
  }

  async function putManifest(
    { name, bytes, sha256 }: ManifestFile,
    commitSignal: AbortSignal,
  ): Promise<void> {
    const options = { sizeBytes: bytes.length, sha256, signal: commitSignal };
    await destination.put(name, { bytes }, options);
    const stored = await readObject(destination, name, limits.manifestBytes, commitSignal);
    if (stored.equals(bytes)) return;
    throw new HostError(
      "BACKUP_DAMAGED",
      `The manifest ${destination.displayName(name)} did not read back as it was written. Check the storage, and back up again.`,
    );
  }

  /** Another host may have taken the lock over and removed segments before the manifest was there: then this is no backup. */
  async function requireListed(
    reader: ContainerReader,
    { name, manifest }: ManifestFile,
    commitSignal: AbortSignal,
  ): Promise<void> {
    for (const segment of manifest.segments) {
      if ((await reader.sizeOf(segment.name, commitSignal)) === segment.sizeBytes) continue;
      // Only this backup can have made it, whoever holds the lock by now.
      await destination.remove([name], {
        signal: commitSignal,
        lock: unsharedLease,
        durable: false,
      });
      await lock.assertHeld();
      throw new HostError(
        "BACKUP_DAMAGED",
        `${segment.name} disappeared from ${destination.displayName()} or was changed while the backup was written, so no backup was made. Keep other programs away from there, and back up again.`,
        { metadata: { file: segment.name } },
      );
    }
  }
}

async function note(destination: Destination, lock: Lock, names: readonly string[]): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(names));
  await destination.put(
    noteOf(lock),
    { bytes },
    { sizeBytes: bytes.length, sha256: "", signal: lock.signal, durable: false },
  );
}

async function removeNote(destination: Destination, lock: HeldLease, name = noteOf(lock)) {
  await destination.remove([name], { signal: lock.signal, lock, durable: false });
}

/** The segments that a note lists; none if it cannot be understood, so that nothing is removed because of it. */
async function readNote(
  destination: Destination,
  name: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const bytes = await readObject(destination, name, limits.manifestBytes, signal);
    const names: unknown = JSON.parse(bytes.toString("utf8"));
    return Array.isArray(names)
      ? names.filter((one): one is string => typeof one === "string" && isSegmentName(one))
      : [];
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof HostError) return [];
    throw error;
  }
}

/** Finishes what the notes of earlier, interrupted writers list. */
async function removeNoted(
  destination: Destination,
  lock: Lock,
  manifests: readonly FoundManifest[],
): Promise<void> {
  const names = await namesIn(destination, lock.signal);
  for (const name of names.filter((one) => one.startsWith(notePrefix) && one.endsWith(".json"))) {
    const segments = await readNote(destination, name, lock.signal);
    await removeSegments(destination, lock, segments, manifests);
    await removeNote(destination, lock, name);
  }
}

/** The same for this writer's own note, by what is there now. */
async function removeOwnNoted(destination: Destination, lock: Lock): Promise<void> {
  await lock.assertHeld();
  const name = noteOf(lock);
  if ((await destination.stat(name, lock.signal)) === undefined) return;
  const segments = await readNote(destination, name, lock.signal);
  const manifests = await manifestsAt(destination, lock.signal);
  await removeSegments(destination, lock, segments, manifests);
  await removeNote(destination, lock);
}

/** Removes segments that none of the manifests lists; none at all if a manifest cannot be read, since it may need any. */
async function removeSegments(
  destination: Destination,
  lock: HeldLease,
  names: readonly string[],
  manifests: readonly FoundManifest[],
  durable = false,
): Promise<string[]> {
  if (manifests.some((found) => "problem" in found)) return [];
  const needed = new Set(
    manifests.flatMap((found) =>
      "file" in found ? found.file.manifest.segments.map(({ name }) => name) : [],
    ),
  );
  const present = new Set(await namesIn(destination, lock.signal));
  const unused = [...new Set(names)].filter(
    (name) => isSegmentName(name) && present.has(name) && !needed.has(name),
  );
  await destination.remove(unused, { signal: lock.signal, lock, durable });
  return unused;
}

/** What may be removed together. */
export interface UnusedFiles {
  /** Names of manifests. */
  names: readonly string[];
  /** Names of segments that may go with them. */
  segments: readonly string[];
}

/**
 * Removes manifests, and then the segments that no remaining manifest lists. Returns the names of
 * what it removed. DESTINATION_BUSY as soon as the lock is lost.
 */
export async function removeBackups(
  platform: Platform,
  destination: Destination,
  lock: Lock,
  unused: UnusedFiles,
): Promise<string[]> {
  await lock.assertHeld();
  const { signal } = lock;
  const manifests = (await namesIn(destination, signal)).filter(
    (name) => unused.names.includes(name) && parseManifestName(name) !== undefined,
  );
  if (manifests.length === 0) return [];
  await note(destination, lock, unused.segments);
  await destination.remove(manifests, { signal, lock });
  const left = await manifestsAt(destination, signal);
  const segments = await removeSegments(destination, lock, unused.segments, left, true);
  await removeNote(destination, lock);
  await platform.failpoint("backup:unused-removed");
  return [...manifests, ...segments];
}
