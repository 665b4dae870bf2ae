import { join } from "node:path";
import { HostError } from "../../errors.js";
import { decodeManifest, type ManifestFile } from "../../segment/manifest.js";
import { writeFileDurably } from "../../io/durable-file.js";
import { readSmallFile } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/** Manifests of streamed backups, which later ones may extend. */
export interface StreamedManifests {
  keep(file: ManifestFile): Promise<void>;
  /** Finds a manifest by its SHA-256. Throws BACKUP_NOT_FOUND. */
  find(sha256: string): Promise<ManifestFile>;
}

export async function openStreamedManifests(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
): Promise<StreamedManifests> {
  const { files } = platform;
  if ((await files.status(directory)) === undefined) await files.makeDirectory(directory);
  /** File name: time, digest, name of the manifest. Names sort by age. */
  const entryOf = ({ manifest, sha256, name }: ManifestFile) =>
    `${String(manifest.createTimeMicros).padStart(16, "0")}_${sha256}_${name}`;

  return {
    async keep(file) {
      await writeFileDurably(platform, join(directory, entryOf(file)), file.bytes);
      const names = (await files.list(directory)).filter((name) => /^\d{16}_/.test(name));
      for (const name of names.slice(0, Math.max(0, names.length - limits.streamedManifests)))
        await files.remove(join(directory, name));
    },
    async find(sha256) {
      const entry = (await files.list(directory)).find((name) => name.split("_")[1] === sha256);
      if (entry === undefined) {
        throw new HostError(
          "BACKUP_NOT_FOUND",
          `No streamed backup with the manifest ${sha256} is known to this host. Omit since for a full backup.`,
          { metadata: { since: sha256 } },
        );
      }
      const [, , ...name] = entry.split("_");
      return decodeManifest(
        name.join("_"),
        await readSmallFile(files, join(directory, entry), limits.manifestBytes),
      );
    },
  };
}
