import { writeFileDurably } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import { errnoOf } from "../io/file-system.js";
import { readSmallFile } from "../io/read-file.js";
import type { Platform } from "../io/platform.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * The host's own record of the manifests that it wrote, by their SHA-256, in its data directory. A backup goes on from these
 * alone: a manifest at a destination may be of another host that began as a copy of this one, or forged, and a position in the
 * log does not tell them apart.
 */
export interface WrittenManifests {
  has(sha256: string): boolean;
  /** Durable when it resolves, or to a warning where it cannot be written down: then the next backup after a restart is a new base. */
  add(destination: string, sha256: string): Promise<string | undefined>;
  /** The manifest did not come to be. */
  drop(destination: string, sha256: string): void;
}

const fileBytes = 4 * 1024 * 1024;

/** Opens the record; one that cannot be read is begun anew: then the next backups are new bases. */
export async function openWrittenManifests(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  onError: (error: unknown) => void,
): Promise<WrittenManifests> {
  /** Of each destination, the one written to last at the end; of each of its manifests likewise. */
  const known = new Map<string, string[]>(await load(platform, path, onError));
  let saving: Promise<unknown> = Promise.resolve();

  function save(): Promise<void> {
    const done = saving.then(() =>
      writeFileDurably(platform, path, Buffer.from(JSON.stringify([...known]))),
    );
    saving = done.catch(() => {});
    return done;
  }

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
        await save();
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

async function load(
  { files }: Pick<Platform, "files">,
  path: string,
  onError: (error: unknown) => void,
): Promise<[string, string[]][]> {
  try {
    const value: unknown = JSON.parse(
      (await readSmallFile(files, path, fileBytes)).toString("utf8"),
    );
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") onError(error);
    return [];
  }
}

function isEntry(value: unknown): value is [string, string[]] {
  return (
    Array.isArray(value) &&
    typeof value[0] === "string" &&
    Array.isArray(value[1]) &&
    value[1].every((one) => typeof one === "string")
  );
}
