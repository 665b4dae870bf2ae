import { basename, dirname, join } from "node:path";
import { ZipArchive } from "archiver";
import { Readable } from "node:stream";
import { HostError } from "../errors.js";
import type { ManifestFile } from "../format/manifest.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { acquireLease } from "../io/lease.js";
import type { LeaseOptions } from "../io/lease-options.js";
import { readChunks, writeStream } from "../io/read-file.js";
import type { Seams } from "../io/seams.js";
import type { ContainerWriter, FoundManifest, StagedSegment } from "./container.js";
import { isReplaceable, openZipReader } from "./zip-reader.js";

export interface ZipWriterOptions {
  /** An existing directory for the segments until they are packed. */
  temporaryDirectory: string;
  lease?: LeaseOptions;
}

/** Entries in a fixed order with the snapshot's time and one mode: the same segments give the same bytes. */
async function* pack(
  seams: Seams,
  staged: StagedSegment[],
  manifest: ManifestFile,
  options: { store: boolean; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { signal } = options;
  const archive = options.store ? new ZipArchive({ store: true }) : new ZipArchive({ zlib: { level: 1 } });
  const date = new Date(Math.floor(manifest.manifest.createTimeMicros / 1000));
  const abort = () => archive.abort();
  signal.addEventListener("abort", abort, { once: true });
  const failed = new Promise<never>((_, reject) => archive.on("error", reject));
  failed.catch(() => {});
  try {
    for (const { segment, path } of staged) {
      archive.append(Readable.from(readChunks(seams.files, path, signal), { objectMode: false }), { name: segment.name, date, mode: 0o644 });
    }
    archive.append(Buffer.from(manifest.bytes), { name: manifest.name, date, mode: 0o644 });
    const finalized = archive.finalize();
    finalized.catch(() => {});
    const output = archive[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    for (;;) {
      const next = await Promise.race([output.next(), failed]);
      if (next.done) break;
      yield next.value;
    }
    await finalized;
  } finally {
    signal.removeEventListener("abort", abort);
    archive.destroy();
  }
}

/** Takes the lease beside the file and checks that it may be replaced. */
export async function openZipWriter(seams: Seams, path: string, signal: AbortSignal, options: ZipWriterOptions): Promise<ContainerWriter> {
  const { files } = seams;
  const directory = dirname(path);
  if ((await files.status(directory))?.kind !== "directory") {
    throw new HostError("DESTINATION_MISSING", `The directory ${directory} does not exist: make it, or mount it, before a backup goes there.`);
  }
  const held = await acquireLease(seams, `${path}.lease`, signal, options.lease);
  try {
    return await open();
  } catch (error) {
    await held.release();
    throw error;
  }

  async function open(): Promise<ContainerWriter> {
    // Looked at under the lease: what another backup put there while this one waited counts.
    const status = await files.status(path);
    if (status && status.kind !== "file") throw new HostError("DESTINATION_OCCUPIED", `destination ${path} must be a local file for zip backup.`);
    if (status && !(await isReplaceable(seams, path))) {
      throw new HostError("DESTINATION_OCCUPIED", `${path} exists and is no backup; it is left alone. Name another file, or move it away.`);
    }
    const existing = status && status.sizeBytes > 0 ? await readExisting() : [];
    // One name for each archive: what a crash left of it goes when the next backup holds the lease.
    const unfinished = join(directory, `${temporaryPrefix}${basename(path)}.tmp`);
    await files.remove(unfinished);
    const staging = join(options.temporaryDirectory, `${temporaryPrefix}zip-${seams.randomHex(8)}`);
    await files.makeDirectory(staging);
    return {
      stagingDirectory: staging,
      existing,
      holds: async () => false,
      async commit(staged, manifest, { signal: working, store, readBack, onBytes }) {
        for (const each of staged) await readBack(each);
        const bytesWritten = await writeStream(files, unfinished, pack(seams, staged, manifest, { store, signal: working }), Number.MAX_SAFE_INTEGER, working);
        await seams.step("backup:archive-written");
        const file = await files.openToSync(unfinished);
        try {
          await file.sync();
        } finally {
          await file.close();
        }
        await readArchiveBack(staged, manifest, working, onBytes);
        await seams.step("backup:archive-read-back");
        working.throwIfAborted();
        await held.assertHeld();
        // Read back before it takes the name: the backup that was there before is not given up for a bad one.
        await files.rename(unfinished, path);
        await files.syncDirectory(directory);
        await seams.step("backup:manifest-written");
        return { bytesWritten };
      },
      removeUnused: async () => [],
      async close() {
        await files.remove(unfinished).catch(() => {});
        await files.removeTree(staging).catch(() => {});
        await held.release();
      },
    };

    async function readArchiveBack(staged: StagedSegment[], manifest: ManifestFile, working: AbortSignal, onBytes: (count: number) => void): Promise<void> {
      const archive = await openZipReader(seams, unfinished);
      for (const { segment } of staged) {
        await archive.readBack(segment, working);
        onBytes(segment.sizeBytes);
      }
      await archive.readBack({ name: manifest.name, sizeBytes: manifest.bytes.length, sha256: manifest.sha256 }, working);
    }
  }

  async function readExisting(): Promise<FoundManifest[]> {
    try {
      return await (await openZipReader(seams, path)).manifests(signal);
    } catch (error) {
      // Xenon's backups have no manifests; a newer version's are not to be counted on from.
      if (error instanceof HostError && error.reason === "BACKUP_FROM_XENON") return [];
      throw error;
    }
  }
}
