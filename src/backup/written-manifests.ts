import { fromFileError } from "../io/file-error.js";
import { JsonFile } from "../io/json-file.js";
import type { Platform } from "../io/platform.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Record of the manifests that this host wrote, by SHA-256, in its data directory. A backup extends only these: another
 * manifest may be forged or of a host that started as a copy of this one, which a log position cannot detect.
 */
export interface WrittenManifests {
  has(sha256: string): boolean;
  /** Resolves when the entry is durable, or with a warning if it cannot be written; the next backup after a restart is then a new base. */
  add(destination: string, sha256: string): Promise<string | undefined>;
  /** Removes the entry of a manifest that was not written. */
  drop(destination: string, sha256: string): void;
}

const fileBytes = 4 * 1024 * 1024;

/** Opens the record. Replaces an unreadable one; the next backup to each destination is then a new base. */
export async function openWrittenManifests(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  onError: (error: unknown) => void,
): Promise<WrittenManifests> {
  const file = new JsonFile<[string, string[]][]>({
    platform,
    path,
    maxBytes: fileBytes,
    parse: (value) => (Array.isArray(value) ? value.filter(isEntry) : undefined),
  });
  const content = await file.read();
  if ("error" in content) onError(content.error);
  /** Manifests by destination, both ordered by the last write. */
  const known = new Map<string, string[]>(content.state === "read" ? content.value : []);

  return {
    has: (sha256) => [...known.values()].some((list) => list.includes(sha256)),
    async add(destination, sha256) {
      const list = [
        ...(known.get(destination) ?? []).filter((one) => one !== sha256),
        sha256,
      ].slice(-limits.writtenManifests);
      known.delete(destination);
      known.set(destination, list);
      for (const oldest of known.keys()) {
        if (known.size <= limits.writtenDestinations) break;
        known.delete(oldest);
      }
      try {
        await file.write([...known]);
        return undefined;
      } catch (error) {
        const { message } = HostError.from(fromFileError(error, "Recording what was backed up"));
        return `The backup is not in the host's record of what it wrote (${message}): after a restart, the next backup to this destination writes everything again.`;
      }
    },
    drop(destination, sha256) {
      known.set(
        destination,
        (known.get(destination) ?? []).filter((one) => one !== sha256),
      );
    },
  };
}

function isEntry(value: unknown): value is [string, string[]] {
  return (
    Array.isArray(value) &&
    typeof value[0] === "string" &&
    Array.isArray(value[1]) &&
    value[1].every((one) => typeof one === "string")
  );
}
