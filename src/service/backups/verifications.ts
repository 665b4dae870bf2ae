import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { BackupListing } from "../../backup/listing.js";
import { fromStoredLevel, toStoredLevel } from "../../operation/stored-level.js";
import type { Verification } from "../../backup/verification.js";

/** A copy of a backup. Copies of one manifest at several destinations have separate results. */
export interface CheckedCopy {
  uri: string;
  manifestSha256: string;
}

/** Results of verifications by destination and manifest digest. Stored by the host, not in the backup. */
export interface Verifications {
  find(copy: CheckedCopy): Verification | undefined;
  /** The last restore test that passed, of any backup at a destination. */
  lastProven(uri: string): Verification | undefined;
  /** Whether the last verification found damage. */
  isDamaged(copy: CheckedCopy): boolean;
  /** Resolves when the result is durable, or after a call of `onError` if it cannot be written. */
  record(copy: CheckedCopy, verification: Verification): Promise<void>;
  /** Forgets the result for a copy that was written again. Resolves as `record`. */
  forget(copy: CheckedCopy): Promise<void>;
}

/** Adds the result of the last verification by this host to a listed backup. It replaces one that was kept beside the backup, which others can change. */
export function withLastCheck(
  { find }: Pick<Verifications, "find">,
  listing: BackupListing,
): BackupListing {
  const lastVerification =
    listing.backup && find({ uri: listing.uri, manifestSha256: listing.backup.manifestSha256 });
  return lastVerification ? { ...listing, lastVerification } : listing;
}

type Entry = [key: string, verification: Omit<Verification, "level"> & { level: string }];

const keyOf = ({ uri, manifestSha256 }: CheckedCopy) => `${uri} ${manifestSha256}`;

/** Opens the file with the results. Replaces an unreadable one, since verifications can be repeated. */
export async function openVerifications(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  onError: (error: unknown) => void,
): Promise<Verifications> {
  const file = new JsonFile<Entry[]>({
    platform,
    path,
    maxBytes: limits.manifestBytes,
    parse: (value) => (Array.isArray(value) ? value.filter(isEntry) : undefined),
  });
  const content = await file.read();
  if ("error" in content) onError(content.error);
  const known = new Map<string, Verification>(
    (content.state === "read" ? content.value : []).map(([key, stored]) => [
      key,
      { ...stored, level: fromStoredLevel(stored.level) },
    ]),
  );
  const write = () => {
    const entries = [...known].map(([key, kept]): Entry => [
      key,
      { ...kept, level: toStoredLevel(kept.level) },
    ]);
    return file.write(entries).catch(onError);
  };
  return {
    find: (copy) => known.get(keyOf(copy)),
    lastProven(uri) {
      let last: Verification | undefined;
      for (const [key, one] of known)
        if (
          one.level === "TEST_RESTORE" &&
          one.passed &&
          key.startsWith(`${uri} `) &&
          one.timeMicros > (last?.timeMicros ?? 0)
        )
          last = one;
      return last;
    },
    isDamaged: (copy) => known.get(keyOf(copy))?.passed === false,
    record(copy, verification) {
      const key = keyOf(copy);
      known.delete(key);
      known.set(key, verification);
      for (const oldest of known.keys()) {
        if (known.size <= limits.verifications) break;
        known.delete(oldest);
      }
      return write();
    },
    forget(copy) {
      known.delete(keyOf(copy));
      return write();
    },
  };
}

function isEntry(value: unknown): value is Entry {
  if (!Array.isArray(value) || typeof value[0] !== "string") return false;
  const found: unknown = value[1];
  return (
    typeof found === "object" &&
    found !== null &&
    "level" in found &&
    "passed" in found &&
    "timeMicros" in found &&
    "records" in found
  );
}
