import { basename, dirname, join } from "node:path";
import { requireParent } from "../destination/parent.js";
import { HostError } from "../errors.js";
import { publishFile, temporaryPrefix } from "../io/durable-file.js";
import { acquireLease } from "../io/lease.js";
import type { LeaseOptions } from "../io/lease-options.js";
import type { Seams } from "../io/seams.js";
import { openArchiveWriter } from "./archive-writer.js";
import type { ContainerWriter, FoundManifest } from "./container.js";
import { isReplaceable, openZipReader } from "./zip-reader.js";

/** Takes the lease beside the file and checks that it may be replaced. */
export async function openZipWriter(seams: Seams, path: string, signal: AbortSignal, lease?: LeaseOptions): Promise<ContainerWriter> {
  const { files } = seams;
  const directory = dirname(path);
  await requireParent(files, path);
  const held = await acquireLease(seams, `${path}.lease`, signal, lease);
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
    return openArchiveWriter(seams, {
      // One name for each archive: what a crash left of it goes when the next backup holds the lease.
      unfinished: join(directory, `${temporaryPrefix}${basename(path)}.tmp`),
      // Beside the archive: the disk of the index may be the one that is full.
      staging: join(directory, `${temporaryPrefix}${basename(path)}.staging`),
      existing: status && status.sizeBytes > 0 ? await readExisting() : [],
      holds: () => false,
      async publish(archive) {
        await held.assertHeld();
        // Read back before it takes the name: the backup that was there before is not given up for a bad one.
        await publishFile(seams, archive.path, path);
        return { verified: true, warnings: [] };
      },
      release: () => held.release(),
    });
  }

  async function readExisting(): Promise<FoundManifest[]> {
    try {
      const reader = await openZipReader(seams, path);
      try {
        return await reader.manifests(signal);
      } finally {
        await reader.close();
      }
    } catch (error) {
      // Xenon's backups have no manifests; a newer version's are not to be counted on from.
      if (error instanceof HostError && error.reason === "BACKUP_FROM_XENON") return [];
      throw error;
    }
  }
}
