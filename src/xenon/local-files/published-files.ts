import { JsonFile } from "../../io/json-file.js";
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
