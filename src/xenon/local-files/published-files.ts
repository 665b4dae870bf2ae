import { JsonFile } from "../../io/json-file.js";
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

/** Opens the record. An unreadable one is replaced: then files that it named have to be moved away by hand. */
export async function openPublishedFiles(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  onError: (error: unknown) => void,
): Promise<PublishedFiles> {
  const file = new JsonFile<Entry[]>({
    platform,
    path,
    maxBytes: fileBytes,
    parse: (value) => (Array.isArray(value) ? value.filter(isEntry) : undefined),
  });
  const content = await file.read();
  if ("error" in content) onError(content.error);
  const known = new Map<string, string>(content.state === "read" ? content.value : []);
  return {
    has: (published, version) => known.get(published) === version,
    add(published, version) {
      known.delete(published);
      known.set(published, version);
      for (const oldest of known.keys()) {
        if (known.size <= limits.publishedFiles) break;
        known.delete(oldest);
      }
      return file.write([...known]);
    },
  };
}

type Entry = [path: string, version: string];

function isEntry(value: unknown): value is Entry {
  return Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "string";
}
