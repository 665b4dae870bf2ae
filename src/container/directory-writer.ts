import {
  notePrefix,
  type Destination,
  type ListedEntry,
  type Lock,
  type StagingArea,
} from "../destination/destination.js";
import { readBack, readObject, requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { eachConcurrently } from "../io/each-concurrently.js";
import { unsharedLease, type HeldLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import { sha256Of } from "../io/sha256.js";
import { limits } from "../limits.js";
import {
  fileBytesOf,
  fileOf,
  type ManifestFile,
  type Segment,
  type StoredManifest,
} from "../segment/manifest.js";
import {
  companionNames,
  isSegmentName,
  parseManifestName,
  signatureName,
} from "../segment/format.js";
import type {
  CommitOptions,
  Committed,
  ContainerReader,
  ContainerWriter,
  FoundManifest,
  ManifestTrust,
  StagedSegment,
} from "./container.js";
import {
  listManifests,
  manifestsAt,
  namesIn,
  openDirectoryReader,
  pinnedIn,
  readManifestsOf,
  type Listing,
} from "./directory-reader.js";

/**
 * A note lists segments that the holder of the lock is about to add or remove, and the manifest that it
 * is about to add. After a crash, the next holder removes those of the segments that no manifest lists. It
 * looks for the manifest by its name, because a listing of a remote destination may be older.
 */
const noteOf = ({ owner }: HeldLease) => `${notePrefix}${owner}.json`;

/**
 * Opens a destination for a backup of type DIRECTORY: acquires its lock, then removes partial files of
 * interrupted backups. Throws NOT_SUPPORTED, DESTINATION_BUSY and the errors of the destination.
 */
export async function openDirectoryWriter(
  platform: Platform,
  destination: Destination,
  signal: AbortSignal,
  trust?: ManifestTrust,
): Promise<ContainerWriter> {
  requireCapability(destination, "list", "back up incrementally");
  requireCapability(destination, "remove", "back up incrementally");
  const lock = await destination.lock(undefined, signal);
  try {
    const reader = openDirectoryReader(platform, destination, trust);
    const { manifests, entries } = await listManifests(destination, signal, trust);
    await removeNoted(platform, destination, lock, { manifests, entries });
    await destination.removeAbandoned(undefined, lock);
    const staging = await destination.stage({ lock });
    const opened = { platform, destination, lock, reader, existing: manifests, staging, signal };
    return new DirectoryWriter({ ...opened, sizes: sizesOf(entries) });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

const sizesOf = (entries: readonly ListedEntry[]) =>
  new Map(
    entries.flatMap(({ name, sizeBytes }): [string, number][] =>
      sizeBytes === undefined ? [] : [[name, sizeBytes]],
    ),
  );

interface OpenedDirectory {
  platform: Platform;
  destination: Destination;
  lock: Lock;
  reader: ContainerReader;
  existing: FoundManifest[];
  /** Sizes of all objects under the lock, by name. Empty for a local destination. */
  sizes: ReadonlyMap<string, number>;
  staging: StagingArea;
  signal: AbortSignal;
}

/** Writes a backup as separate objects: its new segments, then its manifest. */
class DirectoryWriter implements ContainerWriter {
  readonly stagingDirectory: string;
  readonly existing: FoundManifest[];
  readonly lease: Lock;
  readonly #opened: OpenedDirectory;
  /** The manifest that this writer has stored last. */
  #written: StoredManifest | undefined;
  /** Whether there may be a note of this writer. */
  #hasNote = false;

  constructor(opened: OpenedDirectory) {
    this.stagingDirectory = opened.staging.directory;
    this.existing = opened.existing;
    this.lease = opened.lock;
    this.#opened = opened;
  }

  async hasEncryptedFiles(): Promise<boolean> {
    const { reader, signal } = this.#opened;
    return (await reader.hasEncryptedFiles?.(signal)) ?? false;
  }

  async contains(segments: readonly Segment[]): Promise<boolean> {
    const { reader, signal, sizes, destination } = this.#opened;
    // What the listing showed under an exclusive lock is still there.
    const isExclusive = destination.capabilities.lock === "everyone";
    if (isExclusive && segments.every((one) => sizes.get(one.name) === fileBytesOf(one)))
      return true;
    return (await firstMissing(reader, segments, signal)) === undefined;
  }

  async commit(
    staged: StagedSegment[],
    manifest: ManifestFile,
    options: CommitOptions,
  ): Promise<Committed> {
    const { platform, destination, lock } = this.#opened;
    if (options.retention) requireCapability(destination, "objectLock", "lock backups");
    await lock.assertHeld();
    const segments = staged.map(({ segment }) => segment.name);
    this.#hasNote = true;
    await writeNote(destination, lock, [...segments, manifest.name]);
    let bytesWritten = manifest.bytes.length;
    for (const each of staged) {
      await lock.assertHeld();
      await this.#putSegment(each, options);
      bytesWritten += fileBytesOf(each.segment);
      options.onBytes(fileBytesOf(each.segment));
    }
    options.signal.throwIfAborted();
    await lock.assertHeld();
    await this.#extendRetention(staged, manifest, options);
    await this.#putManifest(manifest, options);
    await this.#requireListed(manifest, options.signal);
    this.#written = manifest;
    await platform.failpoint("backup:manifest-written");
    await removeNote(destination, lock);
    this.#hasNote = false;
    return { bytesWritten, verified: true, warnings: [...(destination.warnings?.() ?? [])] };
  }

  async removeUnused(unused: readonly StoredManifest[]): Promise<string[]> {
    const { platform, destination, lock } = this.#opened;
    const written = this.#written;
    const needed = new Set(written?.manifest.segments.map(({ name }) => name));
    const segments = unused.flatMap(({ manifest }) => manifest.segments.map(({ name }) => name));
    this.#hasNote = true;
    const { removed, isDone } = await removeBackups(platform, destination, lock, {
      names: unused.map(({ name }) => name),
      segments: segments.filter((name) => !needed.has(name)),
      kept: written === undefined ? [] : [written.name],
    });
    this.#hasNote = !isDone;
    return removed;
  }

  async close(): Promise<void> {
    const { platform, destination, lock, staging } = this.#opened;
    await staging.close().catch(() => {});
    if (this.#hasNote) await removeOwnNoted(platform, destination, lock).catch(() => {});
    await lock.release();
    await destination.close();
  }

  /**
   * Stores and verifies a segment: a local file where it is stored; otherwise its rows before, and
   * its digest after it was stored.
   */
  async #putSegment(staged: StagedSegment, options: CommitOptions): Promise<void> {
    const { platform, destination } = this.#opened;
    const { segment, path } = staged;
    const { name, stored } = segment;
    const { signal, retention } = options;
    const isDatabase = stored === undefined;
    const file = fileOf(segment);
    let verified = false;
    const verifyRows = async () => {
      if (isDatabase && !destination.localPath) await options.readBack(staged);
    };
    const put = async (either: AbortSignal) => {
      const stored = { ...file, signal: either, retention };
      ({ verified } = await destination.put(name, { path }, stored));
    };
    // The segment counts only when the manifest lists it, so that its rows can be verified meanwhile.
    await eachConcurrently([verifyRows, put], 2, signal, (work, either) => work(either));
    await platform.failpoint("backup:segment-renamed");
    if (isDatabase && destination.localPath)
      await options.readBack({ segment, path: destination.localPath(name) });
    else if (!verified) await readBack(destination, name, file, signal);
    await platform.failpoint("backup:segment-read-back");
  }

  /** Locks the segments of earlier backups that this one needs at least as long as itself. */
  async #extendRetention(
    staged: readonly StagedSegment[],
    { manifest }: ManifestFile,
    { retention, signal }: CommitOptions,
  ): Promise<void> {
    const { destination } = this.#opened;
    if (!retention) return;
    const isNew = new Set(staged.map(({ segment }) => segment.name));
    for (const { name } of manifest.segments)
      if (!isNew.has(name)) await destination.extendRetention?.(name, retention, signal);
  }

  async #putManifest(
    { name, bytes, sha256, signature }: ManifestFile,
    { signal, retention }: CommitOptions,
  ): Promise<void> {
    const { destination } = this.#opened;
    const ifVersion = destination.capabilities.conditionalPut ? { ifVersion: null } : {};
    const put = { sizeBytes: bytes.length, sha256, signal, retention, ...ifVersion };
    if (signature !== undefined) {
      const text = Buffer.from(signature, "latin1");
      const signed = { sizeBytes: text.length, sha256: sha256Of(text), signal, retention };
      await destination.put(signatureName(name), { bytes: text }, signed);
    }
    await destination.put(name, { bytes }, put);
    const stored = await readObject(destination, name, limits.manifestBytes, signal);
    if (stored.equals(bytes)) return;
    throw new HostError(
      "BACKUP_DAMAGED",
      `Verification of the manifest ${destination.displayName(name)} failed: its contents differ from those written. Check the storage, and back up again.`,
    );
  }

  /**
   * Checks that all segments still exist: another host may have taken over the lock and removed
   * them before the manifest was stored.
   */
  async #requireListed({ name, manifest }: ManifestFile, signal: AbortSignal): Promise<void> {
    const { destination, lock, reader } = this.#opened;
    const missing = await firstMissing(reader, manifest.segments, signal);
    if (missing === undefined) return;
    // Only this backup can have written the manifest, so the lock is not needed.
    await destination.remove([name], { signal, lock: unsharedLease, durable: false });
    await lock.assertHeld();
    throw new HostError(
      "BACKUP_DAMAGED",
      `Cannot complete the backup: ${missing.name} in ${destination.displayName()} was removed or changed by another program. Prevent other programs from writing there, and back up again.`,
      { metadata: { file: missing.name } },
    );
  }
}

/** Returns the first of the segments that does not exist with its size. */
async function firstMissing(
  reader: ContainerReader,
  segments: readonly Segment[],
  signal: AbortSignal,
): Promise<Segment | undefined> {
  const names = segments.map(({ name }) => name);
  const sizes = await reader.sizesOf(names, signal);
  return segments.find((segment) => sizes.get(segment.name) !== fileBytesOf(segment));
}

async function writeNote(
  destination: Destination,
  lock: Lock,
  names: readonly string[],
): Promise<void> {
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

/**
 * Returns the names of segments and manifests in a note. Returns an empty list for an invalid note, so
 * that nothing is removed. Throws the error of a note that cannot be read now.
 */
async function readNote(
  destination: Destination,
  name: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const bytes = await readObject(destination, name, limits.manifestBytes, signal);
    const names: unknown = JSON.parse(bytes.toString("utf8"));
    return Array.isArray(names)
      ? names.filter((one): one is string => typeof one === "string" && isNoted(one))
      : [];
  } catch (error) {
    const isInvalid =
      error instanceof SyntaxError ||
      (error instanceof HostError && /^BACKUP_(NOT_FOUND|DAMAGED)$/.test(error.reason));
    if (isInvalid) return [];
    throw error;
  }
}

const isNoted = (name: string) => isSegmentName(name) || parseManifestName(name) !== undefined;

/**
 * Removes the unlisted segments in a note, and the signatures of its manifests that do not exist, then the
 * note unless it will still be needed.
 */
async function settleNote(
  platform: Platform,
  destination: Destination,
  lock: HeldLease,
  name: string,
  manifests: readonly FoundManifest[],
): Promise<void> {
  const { signal } = lock;
  const names = await readNote(destination, name, signal);
  const known = new Set(manifests.map((found) => found.name));
  const unlisted = names.filter((one) => !isSegmentName(one) && !known.has(one));
  const more = await readManifestsOf(destination, unlisted, signal);
  const missing = unlisted.filter((one) => !more.some((found) => found.name === one));
  // A signature is written before its manifest, and removed after it.
  await destination.remove(missing.flatMap(companionNames), { signal, lock, durable: false });
  const segments = names.filter(isSegmentName);
  const all = { manifests: [...manifests, ...more] };
  const { isDone } = await removeSegments(platform, destination, lock, segments, all);
  if (isDone) await removeNote(destination, lock, name);
}

/** Removes the unlisted segments in the notes of interrupted writers, and the notes. */
async function removeNoted(
  platform: Platform,
  destination: Destination,
  lock: Lock,
  { manifests, entries }: Pick<Listing, "manifests" | "entries">,
): Promise<void> {
  const names = entries.map(({ name }) => name);
  for (const name of names.filter((one) => one.startsWith(notePrefix) && one.endsWith(".json"))) {
    if (await isAbandoned(platform, destination, name, lock.signal))
      await settleNote(platform, destination, lock, name, manifests);
  }
}

/** Whether the writer of a note is certainly gone: the lock excludes it, or the note is old. */
async function isAbandoned(
  platform: Platform,
  destination: Destination,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (destination.capabilities.lock === "everyone") return true;
  const found = await destination.stat(name, signal);
  const ageMs = platform.nowMicros() / 1000 - (found?.modifiedMs ?? 0);
  return found !== undefined && ageMs > limits.abandonedNoteMs;
}

/** The same for the note of this writer, with the current manifests. */
async function removeOwnNoted(
  platform: Platform,
  destination: Destination,
  lock: Lock,
): Promise<void> {
  await lock.assertHeld();
  const name = noteOf(lock);
  if ((await destination.stat(name, lock.signal)) === undefined) return;
  const manifests = await manifestsAt(destination, lock.signal);
  await settleNote(platform, destination, lock, name, manifests);
}

/**
 * Removes segments that no manifest lists. Removes no segment if a manifest cannot be read, because
 * it may list any. `isDone` is false if segments remain that a later writer has to remove: the note
 * with their names must stay.
 */
async function removeSegments(
  platform: Platform,
  destination: Destination,
  lock: HeldLease,
  names: readonly string[],
  { manifests, durable = false }: { manifests: readonly FoundManifest[]; durable?: boolean },
): Promise<Omit<Removed, "pinned">> {
  if (manifests.some((found) => "problem" in found))
    return { removed: [], locked: [], isDone: names.length === 0 };
  const needed = new Set(
    manifests.flatMap((found) =>
      "file" in found ? found.file.manifest.segments.map(({ name }) => name) : [],
    ),
  );
  const present = new Set(await namesIn(destination, lock.signal));
  const unused = [...new Set(names)].filter(
    (name) => isSegmentName(name) && present.has(name) && !needed.has(name),
  );
  const { unlocked, locked } = await withoutLocked(platform, destination, unused, lock.signal);
  await destination.remove(unlocked, { signal: lock.signal, lock, durable });
  return { removed: unlocked, locked, isDone: locked.length === 0 };
}

/** A file that the store refuses to remove before a time. */
export interface LockedFile {
  name: string;
  /** In milliseconds since 1970. */
  untilMs: number;
}

/** Names of removed files, and files that were kept because they are locked. */
export interface Removed {
  removed: string[];
  locked: LockedFile[];
  /** Names of manifests that were kept because they are pinned. */
  pinned: string[];
  /** Whether nothing remains that a later writer has to remove. */
  isDone: boolean;
}

/**
 * Separates files that the store keeps. A removal would hide them, and their space would stay taken.
 */
export async function withoutLocked(
  platform: Pick<Platform, "nowMicros">,
  destination: Destination,
  names: readonly string[],
  signal: AbortSignal,
): Promise<{ unlocked: string[]; locked: LockedFile[] }> {
  if (!destination.capabilities.objectLock) return { unlocked: [...names], locked: [] };
  const nowMs = platform.nowMicros() / 1000;
  const unlocked: string[] = [];
  const locked: LockedFile[] = [];
  for (const name of names) {
    const untilMs = (await destination.stat(name, signal))?.lockedUntilMs ?? 0;
    if (untilMs > nowMs) locked.push({ name, untilMs });
    else unlocked.push(name);
  }
  return { unlocked, locked };
}

/** Files to remove. */
export interface UnusedFiles {
  /** Names of manifests. */
  names: readonly string[];
  /** Names of segments, which are kept if another manifest lists them. */
  segments: readonly string[];
  /** Names of manifests that exist even if a listing does not show them yet. Default: none. */
  kept?: readonly string[];
}

/** Removes those of the segments that no manifest lists. */
async function removeUnlisted(
  platform: Platform,
  destination: Destination,
  lock: Lock,
  { segments, kept = [] }: UnusedFiles,
): Promise<Omit<Removed, "pinned">> {
  if (segments.length === 0) return { removed: [], locked: [], isDone: true };
  const listed = await manifestsAt(destination, lock.signal);
  const unlisted = kept.filter((name) => !listed.some((one) => one.name === name));
  const more = await readManifestsOf(destination, unlisted, lock.signal);
  return removeSegments(platform, destination, lock, segments, {
    manifests: [...listed, ...more],
    durable: true,
  });
}

/**
 * Removes manifests, then the segments that no remaining manifest lists. Keeps what is pinned, and what
 * the store has locked. Throws DESTINATION_BUSY as soon as the lock is lost.
 */
export async function removeBackups(
  platform: Platform,
  destination: Destination,
  lock: Lock,
  unused: UnusedFiles,
): Promise<Removed> {
  await lock.assertHeld();
  const nothing = { removed: [], locked: [], pinned: [], isDone: true };
  if (unused.names.length === 0) return nothing;
  const { signal } = lock;
  const names = await namesIn(destination, signal);
  const pins = pinnedIn(names);
  const wanted = new Set(unused.names);
  const unusedNames = names.filter(
    (name) => wanted.has(name) && parseManifestName(name) !== undefined,
  );
  const pinned = unusedNames.filter((name) => pins.has(name));
  const found = unusedNames.filter((name) => !pins.has(name));
  const { unlocked: manifests, locked } = await withoutLocked(platform, destination, found, signal);
  if (manifests.length === 0) return { ...nothing, locked, pinned };
  const { kept = [] } = unused;
  await writeNote(destination, lock, [...unused.segments, ...kept, ...manifests]);
  await destination.remove(manifests, { signal, lock });
  // A signature without its manifest is harmless.
  const present = new Set(names);
  const companions = manifests.flatMap(companionNames).filter((name) => present.has(name));
  await destination.remove(companions, { signal, lock, durable: false });
  const segments = await removeUnlisted(platform, destination, lock, unused);
  if (segments.isDone) await removeNote(destination, lock);
  await platform.failpoint("backup:unused-removed");
  return {
    removed: [...manifests, ...companions, ...segments.removed],
    locked: [...locked, ...segments.locked],
    pinned,
    isDone: segments.isDone,
  };
}
