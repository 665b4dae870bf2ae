import { join } from "node:path";
import type { Destination, Lock, StagingArea } from "../destination/destination.js";
import { readBack, requireCapability } from "../destination/objects.js";
import { runEncoding, type EncryptTo } from "../encoding/encoding-call.js";
import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { HeldLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import { formatTime } from "../io/time.js";
import { sha256Of } from "../io/sha256.js";
import {
  fileBytesOf,
  fileOf,
  type Manifest,
  type ManifestFile,
  type Segment,
  type StoredManifest,
} from "../segment/manifest.js";
import type {
  CommitOptions,
  Committed,
  ContainerWriter,
  FoundManifest,
  StagedSegment,
} from "./container.js";
import { runZip } from "./zip-call.js";
import { signatureName } from "../segment/format.js";
import { digestOf, isAgeFile, readHead, readLocalHead } from "./age-archive.js";
import { encryptionRequired } from "./encryption-required.js";
import { openRemoteFile } from "./remote-file.js";
import { readPredecessor } from "./zip-predecessor.js";

/** Options of openZipWriter. */
export interface ZipWriterOptions {
  destination: Destination;
  /** Name of the archive at the destination. */
  object: string;
  /**
   * Index of which an existing archive may be replaced. Absent if the destination cannot contain an
   * archive.
   */
  index?: IndexIdentity;
  /** Approximate size of the archive. Default: unknown. */
  expectedBytes?: number;
  /** Backup that the reader of the archive has already, so that its segments can be omitted. */
  base?: StoredManifest;
  /**
   * Whether an archive that is not a local file is verified by reading it back. Default: yes, with
   * a warning if the destination does not allow reading. True: fail instead of warning.
   */
  verify?: boolean;
  /** Encrypts the archive as a whole. Default: not encrypted. */
  encryptTo?: EncryptTo | undefined;
  /**
   * Directory in the data directory, in which an archive is packed that will be encrypted. Default: at the
   * destination.
   */
  temporaryDirectory?: string;
  /** Replaces an encrypted archive by one in the clear. Default: ENCRYPTION_REQUIRED. */
  unencrypted?: boolean | undefined;
  /** Encrypted archives that may be replaced. Default: none. */
  ownArchives?: OwnArchives | undefined;
  /** Receives the progress of uploading and verifying. */
  onStage?(stage: "uploading" | "reading back", bytesDone: number, bytesTotal: number): void;
}

/**
 * Record of the encrypted archives that this host wrote, by the SHA-256 of their index and header. Their
 * manifests cannot be read to see of which index they are.
 */
export interface OwnArchives {
  has(sha256: string): boolean;
  add(sha256: string): Promise<void>;
}

/**
 * Opens an archive at a destination for a backup: acquires its lock and checks that the backup may
 * replace an existing archive. Throws DESTINATION_OCCUPIED, DESTINATION_BUSY and the errors of the
 * destination.
 */
export async function openZipWriter(
  platform: Platform,
  options: ZipWriterOptions,
  signal: AbortSignal,
): Promise<ContainerWriter> {
  const { destination, object, index, base, expectedBytes } = options;
  const lock = await destination.lock(object, signal);
  let staging: StagingArea | undefined;
  try {
    // Read under the lock, because another backup may have replaced the archive before.
    const replaced = index && (await replacedArchive({ ...options, index }, signal));
    await destination.removeAbandoned(object, lock);
    staging = await destination.stage({
      object,
      lock,
      ...(expectedBytes !== undefined && { expectedBytes }),
    });
    const stagingDirectory = await packingDirectory(platform, options, staging);
    return new ZipWriter(platform, { ...options, stagingDirectory }, lock, staging, {
      existing: base ? [{ name: base.name, file: base }] : (replaced?.manifests ?? []),
      replaced,
    });
  } catch (error) {
    await staging?.close().catch(() => {});
    await lock.release();
    throw error;
  }
}

/**
 * Returns the directory in which the archive is packed: that of the destination, unless it will be
 * encrypted and must never be there in the clear.
 */
async function packingDirectory(
  { files, randomHex }: Platform,
  { encryptTo, temporaryDirectory }: ZipWriterOptions,
  staging: StagingArea,
): Promise<string> {
  if (encryptTo === undefined || temporaryDirectory === undefined) return staging.directory;
  const directory = join(temporaryDirectory, `${temporaryPrefix}packing-${randomHex(8)}`);
  await files.makeDirectory(directory);
  return directory;
}

interface Replaced {
  manifests: FoundManifest[];
  /** Null if no archive exists. */
  version: string | null;
  /** Until when the store locks the archive. Default: it is not locked. */
  lockedUntilMs?: number | undefined;
}

async function replacedArchive(
  options: ZipWriterOptions & { index: IndexIdentity },
  signal: AbortSignal,
): Promise<Replaced> {
  const { destination, object, index, ownArchives, encryptTo, unencrypted } = options;
  const info = await destination.stat(object, signal);
  if (!info) return { manifests: [], version: null };
  const { version, lockedUntilMs } = info;
  if (info.sizeBytes === 0) return { manifests: [], version, lockedUntilMs };
  const head = await readHead(destination, object, info.sizeBytes, signal);
  if (isAgeFile(head)) {
    if (ownArchives?.has(digestOf(index.indexId, head))) {
      if (!encryptTo && !unencrypted)
        throw encryptionRequired(`The archive ${destination.displayName(object)} is`);
      return { manifests: [], version, lockedUntilMs };
    }
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `Cannot replace ${destination.displayName(object)}: it is encrypted, and this host has no record of writing it for this index. It was not changed. Use another name, or move it away.`,
      { metadata: { path: destination.displayName(object) } },
    );
  }
  const { localPath, openLocal } = destination;
  const [path, open] =
    localPath && openLocal
      ? [localPath.call(destination, object), () => openLocal.call(destination, object)]
      : [
          destination.displayName(object),
          async () => openRemoteFile(destination, object, info, signal),
        ];
  const manifests = await readPredecessor(path, open, index, signal);
  return { manifests, version, lockedUntilMs };
}

class ZipWriter implements ContainerWriter {
  readonly stagingDirectory: string;
  readonly existing: FoundManifest[];
  readonly existingIsOwn: boolean;
  readonly lease: HeldLease;
  readonly #platform: Platform;
  readonly #options: ZipWriterOptions;
  readonly #lock: Lock;
  readonly #staging: StagingArea;
  readonly #replaced: Replaced | undefined;

  constructor(
    platform: Platform,
    options: ZipWriterOptions & { stagingDirectory: string },
    lock: Lock,
    staging: StagingArea,
    { existing, replaced }: { existing: FoundManifest[]; replaced: Replaced | undefined },
  ) {
    this.#platform = platform;
    this.#options = options;
    this.#lock = lock;
    this.#staging = staging;
    this.#replaced = replaced;
    this.lease = lock;
    this.stagingDirectory = options.stagingDirectory;
    this.existing = existing;
    this.existingIsOwn = options.base !== undefined;
  }

  async contains(segments: readonly Segment[]): Promise<boolean> {
    const names = new Set(this.#options.base?.manifest.segments.map(({ name }) => name));
    return segments.every(({ name }) => names.has(name));
  }

  async commit(
    staged: StagedSegment[],
    manifest: ManifestFile,
    commit: CommitOptions,
  ): Promise<Committed> {
    const { destination, object } = this.#options;
    const { signal, retention } = commit;
    if (retention) requireCapability(destination, "objectLock", "lock backups");
    for (const each of staged) await commit.readBack(each);
    await this.#requireFreeSpace(staged, manifest);
    const { path, sizeBytes, sha256 } = await this.#prepare(staged, manifest, commit);
    await this.#platform.failpoint("backup:archive-read-back");
    signal.throwIfAborted();
    await this.#lock.assertHeld();
    let bytesDone = 0;
    this.#reportUpload("uploading", 0, sizeBytes);
    const stored = await destination.put(
      object,
      { path },
      {
        signal,
        sizeBytes,
        sha256,
        manifest,
        retention,
        ...(this.#replaced && { ifVersion: this.#replaced.version }),
        onBytes: (count) => this.#reportUpload("uploading", (bytesDone += count), sizeBytes),
      },
    );
    const verified = stored.verified
      ? { verified: true, warnings: [] }
      : await this.#verify({ sizeBytes, sha256 }, signal);
    await this.#platform.failpoint("backup:manifest-written");
    const warnings = [
      ...verified.warnings,
      ...(destination.warnings?.() ?? []),
      ...this.#shrinkWarnings(manifest.manifest.documents),
      ...this.#baseWarnings(manifest.manifest),
      ...this.#lockWarnings(),
    ];
    return { bytesWritten: sizeBytes, verified: verified.verified, warnings };
  }

  /** Packs the archive, and encrypts it if requested. Both are verified by reading them back. */
  async #prepare(
    staged: StagedSegment[],
    manifest: ManifestFile,
    commit: CommitOptions,
  ): Promise<{ path: string; sizeBytes: number; sha256: string }> {
    const { encryptTo, ownArchives, destination, object } = this.#options;
    const { indexId } = manifest.manifest;
    const path = join(this.stagingDirectory, "archive.zip");
    const packed = await this.#pack(path, staged, manifest, commit);
    if (encryptTo === undefined) return { path, ...packed };
    const target = join(this.#staging.directory, "archive.zip.age");
    const name = destination.displayName(object);
    const [encrypted] = await runEncoding(
      { kind: "encode", source: path, target, name, compression: "none", encryptTo },
      commit.signal,
    );
    await this.#platform.files.remove(path);
    // Before the archive exists: an entry without an archive does no harm.
    const head = await readLocalHead(this.#platform, target);
    await ownArchives?.add(digestOf(indexId, head));
    return { path: target, sizeBytes: 0, sha256: "", ...encrypted };
  }

  /** An archive is replaced as a whole, so it never has unused files. */
  async removeUnused(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {
    await this.#staging.close().catch(() => {});
    if (this.stagingDirectory !== this.#staging.directory)
      await this.#platform.files.removeTree(this.stagingDirectory).catch(() => {});
    await this.#lock.release();
    await this.#options.destination.close();
  }

  async #pack(
    path: string,
    staged: StagedSegment[],
    { name, sha256, bytes, manifest, signature }: ManifestFile,
    { store, signal, onBytes }: CommitOptions,
  ): Promise<{ sizeBytes: number; sha256: string }> {
    const segments = staged.map(({ segment, path: from }) => ({
      name: segment.name,
      ...fileOf(segment),
      path: from,
    }));
    const modifiedMs = Math.floor(manifest.createTimeMicros / 1000);
    const signatureBytes = Buffer.from(signature ?? "", "latin1");
    const last = [
      ...(signature === undefined
        ? []
        : [{ name: signatureName(name), sha256: sha256Of(signatureBytes), bytes: signatureBytes }]),
      { name, sha256, bytes },
    ];
    const packed = await runZip(
      { kind: "pack", path, store, modifiedMs, segments, last },
      signal,
      onBytes,
    );
    return { sizeBytes: packed.sizeBytes, sha256: packed.sha256 ?? "" };
  }

  /** Checks the free space for packing an archive on this machine, assuming no compression. */
  async #requireFreeSpace(staged: StagedSegment[], { bytes }: ManifestFile): Promise<void> {
    if (this.#options.destination.localPath) return;
    const packed = staged.reduce((sum, { segment }) => sum + fileBytesOf(segment), bytes.length);
    const needed = this.#options.encryptTo ? packed * 2 : packed;
    const free = await this.#platform.files.freeBytes(this.stagingDirectory);
    if (free >= needed) return;
    throw new HostError(
      "STORAGE_FULL",
      `Packing the backup needs up to ${needed} bytes on the disk of the data directory, and ${free} are free. Nothing was sent. Free space and try again.`,
    );
  }

  #reportUpload(stage: "uploading" | "reading back", bytesDone: number, bytesTotal: number): void {
    if (!this.#options.destination.localPath) this.#options.onStage?.(stage, bytesDone, bytesTotal);
  }

  /**
   * Verifies an archive by reading it back from its destination. A local archive was already
   * verified before it was renamed.
   */
  async #verify(
    stored: { sizeBytes: number; sha256: string },
    signal: AbortSignal,
  ): Promise<Pick<Committed, "verified" | "warnings">> {
    const { destination, object, verify } = this.#options;
    if (destination.localPath) return { verified: true, warnings: [] };
    if (verify === false)
      return { verified: false, warnings: ["The archive was not verified, as requested."] };
    this.#reportUpload("reading back", 0, stored.sizeBytes);
    try {
      await readBack(destination, object, stored, signal, (done) =>
        this.#reportUpload("reading back", done, stored.sizeBytes),
      );
      return { verified: true, warnings: [] };
    } catch (error) {
      const status = unreadableStatus(error);
      if (status === undefined) throw error;
      const problem = `The archive was sent to ${destination.displayName(object)} but could not be verified, because reading it is not allowed (GET: ${status})`;
      if (verify) {
        throw new HostError(
          "DESTINATION_REFUSED",
          `${problem}. The request requires verification.`,
          {
            metadata: { status },
          },
        );
      }
      return { verified: false, warnings: [`${problem}.`] };
    }
  }

  /**
   * Warns if the replaced archive had far more documents, because a wrong host may have been backed
   * up.
   */
  #shrinkWarnings(documents: number): string[] {
    const [previous] = this.existing;
    if (this.existingIsOwn || previous === undefined || !("file" in previous)) return [];
    if (documents >= previous.file.manifest.documents / 2) return [];
    return [
      `The replaced archive at ${this.#options.destination.displayName(this.#options.object)} had ${previous.file.manifest.documents} documents; the new one has ${documents}. If documents were lost, restore an older copy before the next backup.`,
    ];
  }

  /** Warns that a locked archive was replaced: the store keeps it, but under no name of its own. */
  #lockWarnings(): string[] {
    const { destination, object } = this.#options;
    const { lockedUntilMs = 0 } = this.#replaced ?? {};
    if (lockedUntilMs * 1000 <= this.#platform.nowMicros()) return [];
    return [
      `The replaced archive at ${destination.displayName(object)} is locked until ${formatTime(lockedUntilMs * 1000)}. The store keeps it as an older version of the object, which holdfast list does not show. Use another name for each locked archive.`,
    ];
  }

  #baseWarnings({ indexLink, lineage, segments }: Manifest): string[] {
    const base = this.#options.base?.manifest;
    if (base === undefined) return [];
    if (base.lineage === lineage && base.segments[0]?.name === segments[0]?.name) return [];
    return [
      `The archive is a full backup of ${indexLink}, because the index was restored since the backup in "since", or more than half of it has changed.`,
    ];
  }
}

/** Statuses of a server that only allows writing, as with presigned URLs. */
const statusesWithoutReading = new Set(["401", "403", "404", "405", "501"]);

function unreadableStatus(error: unknown): string | undefined {
  if (!(error instanceof HostError) || error.reason !== "DESTINATION_REFUSED") return undefined;
  const { status } = error.metadata;
  return status !== undefined && statusesWithoutReading.has(status) ? status : undefined;
}
