import { join } from "node:path";
import type { Destination, Lock, StagingArea } from "../destination/destination.js";
import { readBack } from "../destination/objects.js";
import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { HeldLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import type { Manifest, ManifestFile, Segment, StoredManifest } from "../segment/manifest.js";
import type {
  CommitOptions,
  Committed,
  ContainerWriter,
  FoundManifest,
  StagedSegment,
} from "./container.js";
import { runZip } from "./zip-call.js";
import { readPredecessor } from "./zip-predecessor.js";

export interface ZipWriterOptions {
  destination: Destination;
  /** The archive's name there. */
  object: string;
  /** Whose backup an existing archive must be to be replaced; absent where nothing can be there. */
  index?: IndexIdentity;
  /** About how large the archive may become, in bytes. Default: unknown. */
  expectedBytes?: number;
  /** The backup that the reader of the archive already has: its segments may be left out. */
  base?: StoredManifest;
  /** Whether an archive that is not a local file is read back after it was sent. Default: yes, and a destination that does not allow reading is a warning. */
  verify?: boolean;
  /** Progress of sending and reading back. */
  onStage?(stage: "uploading" | "reading back", bytesDone: number, bytesTotal: number): void;
}

/** Locks an archive of a destination, checks that the backup may replace what is there, and writes it as one object. */
export async function openZipWriter(
  platform: Platform,
  options: ZipWriterOptions,
  signal: AbortSignal,
): Promise<ContainerWriter> {
  const { destination, object, index, base, expectedBytes } = options;
  const lock = await destination.lock(object, signal);
  let staging: StagingArea | undefined;
  try {
    // Read under the lock: it may have been replaced while this backup waited.
    const replaced = index && (await replacedArchive(destination, object, index, signal));
    await destination.removeAbandoned(object, lock);
    staging = await destination.stage({
      object,
      lock,
      ...(expectedBytes !== undefined && { expectedBytes }),
    });
    return new ZipWriter(platform, options, lock, staging, {
      existing: base ? [{ name: base.name, file: base }] : (replaced?.manifests ?? []),
      ...(replaced && { replacedVersion: replaced.version }),
    });
  } catch (error) {
    await staging?.close().catch(() => {});
    await lock.release();
    throw error;
  }
}

interface Replaced {
  manifests: FoundManifest[];
  /** Null: no archive. */
  version: string | null;
}

async function replacedArchive(
  destination: Destination,
  object: string,
  index: IndexIdentity,
  signal: AbortSignal,
): Promise<Replaced> {
  const info = await destination.stat(object, signal);
  if (!info) return { manifests: [], version: null };
  const { localPath, openLocal } = destination;
  const manifests =
    info.sizeBytes > 0 && localPath && openLocal
      ? await readPredecessor(
          localPath.call(destination, object),
          () => openLocal.call(destination, object),
          index,
          signal,
        )
      : [];
  return { manifests, version: info.version };
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
  readonly #replacedVersion: string | null | undefined;

  constructor(
    platform: Platform,
    options: ZipWriterOptions,
    lock: Lock,
    staging: StagingArea,
    { existing, replacedVersion }: { existing: FoundManifest[]; replacedVersion?: string | null },
  ) {
    this.#platform = platform;
    this.#options = options;
    this.#lock = lock;
    this.#staging = staging;
    this.#replacedVersion = replacedVersion;
    this.lease = lock;
    this.stagingDirectory = staging.directory;
    this.existing = existing;
    this.existingIsOwn = options.base !== undefined;
  }

  async holds(segment: Segment): Promise<boolean> {
    return this.#options.base?.manifest.segments.some(({ name }) => name === segment.name) ?? false;
  }

  async commit(
    staged: StagedSegment[],
    manifest: ManifestFile,
    commit: CommitOptions,
  ): Promise<Committed> {
    const { destination, object } = this.#options;
    const { signal } = commit;
    for (const each of staged) await commit.readBack(each);
    await this.#requireFreeSpace(staged, manifest);
    const path = join(this.stagingDirectory, "archive.zip");
    const { sizeBytes, sha256 } = await this.#pack(path, staged, manifest, commit);
    await this.#platform.failpoint("backup:archive-read-back");
    signal.throwIfAborted();
    await this.#lock.assertHeld();
    let bytesDone = 0;
    this.#reportUpload("uploading", 0, sizeBytes);
    await destination.put(
      object,
      { path },
      {
        signal,
        sizeBytes,
        sha256,
        manifest,
        ...(this.#replacedVersion !== undefined && { ifVersion: this.#replacedVersion }),
        onBytes: (count) => this.#reportUpload("uploading", (bytesDone += count), sizeBytes),
      },
    );
    const verified = await this.#verify({ sizeBytes, sha256 }, signal);
    await this.#platform.failpoint("backup:manifest-written");
    const warnings = [
      ...verified.warnings,
      ...this.#shrinkWarnings(manifest.manifest.documents),
      ...this.#baseWarnings(manifest.manifest),
    ];
    return { bytesWritten: sizeBytes, verified: verified.verified, warnings };
  }

  /** An archive is replaced as a whole, and holds nothing that could become unused. */
  async removeUnused(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {
    await this.#staging.close().catch(() => {});
    await this.#lock.release();
    await this.#options.destination.close();
  }

  async #pack(
    path: string,
    staged: StagedSegment[],
    { name, sha256, bytes, manifest }: ManifestFile,
    { store, signal, onBytes }: CommitOptions,
  ): Promise<{ sizeBytes: number; sha256: string }> {
    const segments = staged.map(({ segment, path: from }) => ({
      name: segment.name,
      sizeBytes: segment.sizeBytes,
      sha256: segment.sha256,
      path: from,
    }));
    const modifiedMs = Math.floor(manifest.createTimeMicros / 1000);
    const packed = await runZip(
      { kind: "pack", path, store, modifiedMs, segments, manifest: { name, sha256, bytes } },
      signal,
      onBytes,
    );
    return { sizeBytes: packed.sizeBytes, sha256: packed.sha256 ?? "" };
  }

  /** An archive that is sent elsewhere is packed on this machine first; stored, it is as large as what is in it. */
  async #requireFreeSpace(staged: StagedSegment[], { bytes }: ManifestFile): Promise<void> {
    if (this.#options.destination.localPath) return;
    const needed = staged.reduce((sum, { segment }) => sum + segment.sizeBytes, bytes.length);
    const free = await this.#platform.files.freeBytes(this.stagingDirectory);
    if (free >= needed) return;
    throw new HostError(
      "STORAGE_FULL",
      `The backup is packed on this machine before it is sent. That may take ${needed} bytes on the disk of the data directory, and ${free} are free. Nothing was sent; free space and try again.`,
    );
  }

  #reportUpload(stage: "uploading" | "reading back", bytesDone: number, bytesTotal: number): void {
    if (!this.#options.destination.localPath) this.#options.onStage?.(stage, bytesDone, bytesTotal);
  }

  /** A local archive was read back before it got its name. Others are read back from where they were sent to. */
  async #verify(
    stored: { sizeBytes: number; sha256: string },
    signal: AbortSignal,
  ): Promise<Pick<Committed, "verified" | "warnings">> {
    const { destination, object, verify } = this.#options;
    if (destination.localPath) return { verified: true, warnings: [] };
    if (verify === false)
      return { verified: false, warnings: ["The archive was not read back, as requested."] };
    this.#reportUpload("reading back", 0, stored.sizeBytes);
    try {
      await readBack(destination, object, stored, signal, (done) =>
        this.#reportUpload("reading back", done, stored.sizeBytes),
      );
      return { verified: true, warnings: [] };
    } catch (error) {
      const status = unreadableStatus(error);
      if (status === undefined) throw error;
      const problem = `${destination.displayName(object)} accepted the archive but does not allow reading it (GET answered ${status}), so whether it arrived whole is unknown`;
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

  /** Far fewer documents than the replaced archive had may mean that the wrong host backs up. */
  #shrinkWarnings(documents: number): string[] {
    const [before] = this.existing;
    if (this.existingIsOwn || before === undefined || !("file" in before)) return [];
    if (documents >= before.file.manifest.documents / 2) return [];
    return [
      `The archive that was replaced at ${this.#options.destination.displayName(this.#options.object)} had ${before.file.manifest.documents} documents; this one has ${documents}. If documents were lost, restore an older copy before the next backup.`,
    ];
  }

  #baseWarnings({ indexLink, lineage, segments }: Manifest): string[] {
    const base = this.#options.base?.manifest;
    if (base === undefined) return [];
    if (base.lineage === lineage && base.segments[0]?.name === segments[0]?.name) return [];
    return [
      `The history of ${indexLink} does not continue the backup that since names (it was restored since, or more than half of it has changed): everything was packed.`,
    ];
  }
}

/** Statuses of a server that stores what is put but serves nothing, as with presigned URLs. */
const statusesWithoutReading = new Set(["401", "403", "404", "405", "501"]);

function unreadableStatus(error: unknown): string | undefined {
  if (!(error instanceof HostError) || error.reason !== "DESTINATION_REFUSED") return undefined;
  const { status } = error.metadata;
  return status !== undefined && statusesWithoutReading.has(status) ? status : undefined;
}
