import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { requireParent } from "../destination/file/parent.js";
import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { publishFile } from "../io/durable-file.js";
import { acquireLease } from "../io/lease.js";
import type { LeaseOptions } from "../io/lease-options.js";
import type { Platform } from "../io/platform.js";
import { openArchiveWriter } from "./archive-writer.js";
import type { ContainerWriter, FoundManifest } from "./container.js";
import { zipWorkPrefix } from "./directory.js";
import { readPredecessor } from "./zip-predecessor.js";

/** Takes the lease beside the file and checks that a backup of the index may replace what is there. */
export async function openZipWriter(
  platform: Platform,
  path: string,
  index: IndexIdentity,
  signal: AbortSignal,
  lease?: LeaseOptions,
): Promise<ContainerWriter> {
  const { files } = platform;
  const directory = dirname(path);
  /** Names that say which archive they belong to, and never exceed what a file system takes. */
  const workPrefix = `${zipWorkPrefix}${createHash("sha256").update(basename(path)).digest("hex").slice(0, 16)}-`;
  await requireParent(files, path);
  const held = await acquireLease(platform, `${path}.lease`, signal, lease);
  try {
    return await open();
  } catch (error) {
    await held.release();
    throw error;
  }

  async function open(): Promise<ContainerWriter> {
    // Looked at under the lease: what another backup put there while this one waited counts.
    const status = await files.status(path);
    if (status && status.kind !== "file")
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `destination ${path} must be a local file for zip backup.`,
      );
    const existing =
      status && status.sizeBytes > 0 ? await readPredecessor(platform, path, index, signal) : [];
    await removeLeftovers();
    // Beside the archive: the disk of the index may be the one that is full.
    const own = join(directory, `${workPrefix}${platform.randomHex(8)}`);
    return openArchiveWriter(platform, {
      unfinished: `${own}.tmp`,
      staging: `${own}.staging`,
      lease: held,
      existing,
      holds: () => false,
      async publish(archive) {
        await held.assertHeld();
        if ((await files.status(path))?.version !== status?.version) {
          throw new HostError(
            "DESTINATION_OCCUPIED",
            `${path} was changed by another program while the backup was packed; it is left alone. Back up again.`,
            { metadata: { path } },
          );
        }
        // Read back before it takes the name: the backup that was there before is not given up for a bad one.
        await publishFile(platform, archive.path, path);
        return {
          verified: true,
          warnings: shrinkWarnings(path, existing[0], archive.manifest.manifest.documents),
        };
      },
      release: () => held.release(),
    });
  }

  /** What killed backups left of this archive: one at a time, each under a name of its own. */
  async function removeLeftovers(): Promise<void> {
    for (const name of await files.list(directory)) {
      if (!name.startsWith(workPrefix)) continue;
      await held.assertHeld();
      await files.removeTree(join(directory, name));
    }
  }
}

/** What was there is gone with the replacement: far fewer documents may mean that it is the wrong host that backs up. */
function shrinkWarnings(
  path: string,
  before: FoundManifest | undefined,
  documents: number,
): string[] {
  if (
    before === undefined ||
    !("file" in before) ||
    documents >= before.file.manifest.documents / 2
  )
    return [];
  return [
    `The archive that ${path} held before had ${before.file.manifest.documents} documents, and this one has ${documents}. If documents were lost, restore an older copy before the next backup.`,
  ];
}
