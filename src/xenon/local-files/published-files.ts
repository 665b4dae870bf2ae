import { writeFileDurably } from "../../io/durable-file.js";
import { errnoOf } from "../../io/file-system.js";
import { readSmallFile } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/**
 * Which files were written through /local-files, by path and version, over restarts and whatever service wrote them: these alone
 * may be replaced through it.
 */
export interface PublishedFiles {
  has(path: string, version: string): boolean;
  /** Durable when it resolves. */
  add(path: string, version: string): Promise<void>;
}

const fileBytes = 16 * 1024 * 1024;

/** One that cannot be read is begun anew: then files of before have to be moved away by hand. */
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
