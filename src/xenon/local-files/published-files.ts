import { writeFileDurably } from "../../io/durable-file.js";
import { errnoOf } from "../../io/file-system.js";
import { readSmallFile } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/**
 * Registry of files written through /local-files, by path and version, for all services and across
 * restarts. Only these files may be replaced through /local-files.
 */
export interface PublishedFiles {
  /** Whether a version of a file was written through /local-files. */
  has(path: string, version: string): boolean;
  /** Adds a file. Resolves when the registry is durable. */
  add(path: string, version: string): Promise<void>;
}

const fileBytes = 16 * 1024 * 1024;

/**
 * Opens the registry. If it cannot be read, it starts empty, and earlier files must be moved away
 * before they can be uploaded again.
 */
export async function openPublishedFiles(
  platform: Pick<Platform, "files" | "randomHex">,
  recordPath: string,
  onError: (error: unknown) => void,
): Promise<PublishedFiles> {
  const known = new Map<string, string>(await load(platform, recordPath, onError));
  let saving: Promise<unknown> = Promise.resolve();
  return {
    has: (path, version) => known.get(path) === version,
    add(path, version) {
      known.delete(path);
      known.set(path, version);
      for (const oldest of known.keys()) {
        if (known.size <= limits.publishedFiles) break;
        known.delete(oldest);
      }
      const saved = saving.then(() =>
        writeFileDurably(platform, recordPath, Buffer.from(JSON.stringify([...known]))),
      );
      saving = saved.catch(() => {});
      return saved;
    },
  };
}

async function load(
  { files }: Pick<Platform, "files">,
  path: string,
  onError: (error: unknown) => void,
): Promise<[string, string][]> {
  try {
    const value: unknown = JSON.parse(
      (await readSmallFile(files, path, fileBytes)).toString("utf8"),
    );
    return Array.isArray(value)
      ? value.filter(
          (one): one is [string, string] =>
            Array.isArray(one) && typeof one[0] === "string" && typeof one[1] === "string",
        )
      : [];
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") onError(error);
    return [];
  }
}
