import type { ManifestFile, Segment } from "../segment/manifest.js";
import type { HeldLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import type { Committed, ContainerWriter, FoundManifest } from "./container.js";
import { runZip } from "./zip-call.js";

/** An archive that was packed, synced and read back, under its unfinished name. */
export interface PackedArchive {
  path: string;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
  manifest: ManifestFile;
}

export interface ArchivePlace {
  /** Where the archive is packed: a file that is not there, and goes again unless `publish` moved it away. */
  unfinished: string;
  /** Where its segments are made: a directory that is not there, and goes again. */
  staging: string;
  lease: HeldLease;
  /** As of ContainerWriter. */
  existingIsOwn?: boolean;
  /** What the reader of this archive has already, newest first. */
  existing: FoundManifest[];
  /** Whether the reader has the segment, so that the manifest may list it and the archive leave it out. */
  holds(segment: Segment): boolean;
  /** Makes the packed archive the backup: from then on it is complete. */
  publish(
    archive: PackedArchive,
    signal: AbortSignal,
    onBytes: (count: number) => void,
  ): Promise<Omit<Committed, "bytesWritten">>;
  /** Lets the next one in. */
  release(): Promise<void>;
}

/** A backup that becomes one ZIP, wherever that then goes. */
export async function openArchiveWriter(
  platform: Platform,
  place: ArchivePlace,
): Promise<ContainerWriter> {
  const { files } = platform;
  const { unfinished, staging } = place;
  await files.remove(unfinished);
  await files.removeTree(staging);
  await files.makeDirectory(staging);
  return {
    stagingDirectory: staging,
    existing: place.existing,
    lease: place.lease,
    ...(place.existingIsOwn && { existingIsOwn: true }),
    holds: async (segment) => place.holds(segment),
    async commit(staged, manifest, { signal, store, readBack, onBytes }) {
      for (const each of staged) await readBack(each);
      const { sizeBytes, sha256 = "" } = await runZip(
        {
          kind: "pack",
          path: unfinished,
          store,
          modifiedMs: Math.floor(manifest.manifest.createTimeMicros / 1000),
          segments: staged.map(({ segment: { name, sizeBytes, sha256 }, path: from }) => ({
            name,
            sizeBytes,
            sha256,
            path: from,
          })),
          manifest: { name: manifest.name, sha256: manifest.sha256, bytes: manifest.bytes },
        },
        signal,
        onBytes,
      );
      await platform.failpoint("backup:archive-read-back");
      signal.throwIfAborted();
      const published = await place.publish(
        { path: unfinished, sizeBytes, sha256, manifest },
        signal,
        onBytes,
      );
      await platform.failpoint("backup:manifest-written");
      return { bytesWritten: sizeBytes, ...published };
    },
    removeUnused: async () => [],
    async close() {
      await files.remove(unfinished).catch(() => {});
      await files.removeTree(staging).catch(() => {});
      await place.release();
    },
  };
}
