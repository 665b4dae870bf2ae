import { fromFileError } from "../io/file-error.js";
import { JsonFile } from "../io/json-file.js";
import type { Platform } from "../io/platform.js";
import { HostError } from "../errors.js";
import type { RowId } from "../engine/engine.js";
import { limits } from "../limits.js";

/**
 * Record of the manifests that this host wrote, by SHA-256, in its data directory. A backup extends only these: another
 * manifest may be forged or of a host that started as a copy of this one, which a log position cannot detect.
 */
export interface WrittenManifests {
  /** Returns the entry of a manifest, or undefined if this host did not write it. */
  find(sha256: string): WrittenManifest | undefined;
  /** Returns the last entry of an index at a destination, or undefined if this host has no record of writing it there. */
  last(destination: string, indexId: string): WrittenManifest | undefined;
  /** Resolves when the entry is durable, or with a warning if it cannot be written; the next backup after a restart is then a new base. */
  add(destination: string, entry: WrittenManifest): Promise<string | undefined>;
  /** Removes the entry of a manifest that was not written. */
  drop(destination: string, sha256: string): void;
}

/** A manifest that this host wrote. */
export interface WrittenManifest {
  sha256: string;
  /** The last version in the log at its position, which the manifest of an encrypted backup does not name. */
  lastRecord?: RowId | undefined;
  /** Absent in entries of earlier versions. */
  indexId?: string;
  /** To whom the backup is encrypted: a digest of the recipients, or "passphrase". Absent: it is not. */
  readers?: string | undefined;
}

/** More than full lists of entries with the longest links take. A larger file is invalid at the next start. */
const fileBytes = 16 * 1024 * 1024;

/** Opens the record. Replaces an unreadable one; the next backup to each destination is then a new base. */
export async function openWrittenManifests(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  onError: (error: unknown) => void,
): Promise<WrittenManifests> {
  const file = new JsonFile<[string, WrittenManifest[]][]>({
    platform,
    path,
    maxBytes: fileBytes,
    parse: (value) => (Array.isArray(value) ? value.flatMap(toEntry) : undefined),
  });
  const content = await file.read();
  if ("error" in content) onError(content.error);
  /** Manifests by destination, both ordered by the last write. */
  const known = new Map<string, WrittenManifest[]>(content.state === "read" ? content.value : []);

  return {
    find(sha256) {
      for (const list of known.values()) {
        const found = list.find((one) => one.sha256 === sha256);
        if (found) return found;
      }
      return undefined;
    },
    last: (destination, indexId) =>
      known.get(destination)?.findLast((one) => (one.indexId ?? indexId) === indexId),
    async add(destination, entry) {
      const all = [
        ...(known.get(destination) ?? []).filter((one) => one.sha256 !== entry.sha256),
        entry,
      ];
      // Of each index, so that backups of one do not push out those of another.
      const own = all.filter(({ indexId }) => indexId === entry.indexId);
      const pushedOut = new Set(own.slice(0, -limits.writtenManifests));
      const list = all.filter((one) => !pushedOut.has(one));
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
        (known.get(destination) ?? []).filter((one) => one.sha256 !== sha256),
      );
    },
  };
}

/** Returns the entry of a destination, or nothing if it is invalid. Earlier versions stored digests alone. */
function toEntry(value: unknown): [string, WrittenManifest[]][] {
  if (!Array.isArray(value) || typeof value[0] !== "string" || !Array.isArray(value[1])) return [];
  const manifests = (value[1] as unknown[]).map((one) =>
    typeof one === "string" ? { sha256: one } : one,
  );
  return manifests.every(isWritten) ? [[value[0], manifests]] : [];
}

function isWritten(value: unknown): value is WrittenManifest {
  return (
    typeof value === "object" &&
    value !== null &&
    "sha256" in value &&
    typeof value.sha256 === "string" &&
    (!("indexId" in value) || typeof value.indexId === "string") &&
    (!("readers" in value) || typeof value.readers === "string") &&
    (!("lastRecord" in value) || isRow(value.lastRecord))
  );
}

function isRow(value: unknown): value is RowId {
  if (typeof value !== "object" || value === null) return false;
  const { timeMicros, link, version, crc } = value as Record<string, unknown>;
  return [timeMicros, version, crc].every(Number.isSafeInteger) && typeof link === "string";
}
