import { openDirectoryReader, pinnedIn, namesIn } from "../container/directory-reader.js";
import type { Location } from "../container/open.js";
import type { Destination } from "../destination/destination.js";
import { requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { formatTime } from "../io/time.js";
import { pinName } from "../segment/format.js";
import { sha256Of } from "../io/sha256.js";
import { limits } from "../limits.js";
import { membersOf, type NoteKind } from "./notes.js";

/**
 * Pins a backup: pruning and retention keep it. The pin is an object beside its manifest, written under the
 * lock of the destination, so that no removal under way misses it. Throws BACKUP_NOT_FOUND.
 */
export function pinBackup(
  platform: Platform,
  location: Location,
  name: string,
  reason: string,
): Promise<void> {
  return underLock(location, "pin backups", async (lock) => {
    const { destination } = location;
    const reader = openDirectoryReader(platform, destination);
    const manifests = await reader.manifests(lock.signal);
    if (!manifests.some((found) => found.name === name))
      throw notFound(name, destination, "pinned");
    const bytes = Buffer.from(
      `${JSON.stringify({ pinned: formatTime(platform.nowMicros()), reason })}\n`,
    );
    const sha256 = sha256Of(bytes);
    const options = { sizeBytes: bytes.length, sha256, signal: lock.signal };
    await destination.put(pinName(name), { bytes }, options);
  });
}

/** Removes the pin of a backup, if it has one. Throws BACKUP_NOT_FOUND if there is neither. */
export function unpinBackup(location: Location, name: string): Promise<void> {
  return underLock(location, "unpin backups", async (lock) => {
    const { destination } = location;
    const names = await namesIn(destination, lock.signal);
    if (!pinnedIn(names).has(name)) {
      if (names.includes(name)) return;
      throw notFound(name, destination, "unpinned");
    }
    await destination.remove([pinName(name)], { signal: lock.signal, lock });
  });
}

/** Why a backup is pinned. */
interface Pin {
  reason: string;
}

/** Pins beside manifests. */
export const pins: NoteKind<Pin> = {
  nameOf: pinName,
  parse(text) {
    const reason = membersOf<"reason">(text)?.reason;
    return typeof reason === "string"
      ? { reason: reason.slice(0, limits.pinReasonChars) }
      : undefined;
  },
};

const notFound = (name: string, destination: Destination, done: string) =>
  new HostError(
    "BACKUP_NOT_FOUND",
    `Backup ${name} not found at ${destination.displayName()}. Nothing was ${done}. List the backups there.`,
    { metadata: { name } },
  );

type Lock = Awaited<ReturnType<Location["destination"]["lock"]>>;

async function underLock(
  { destination, object }: Location,
  what: string,
  work: (lock: Lock) => Promise<void>,
): Promise<void> {
  try {
    if (object !== undefined)
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `${destination.displayName(object)} is an archive with a single backup, and pins are for directories. Nothing removes an archive by itself.`,
      );
    requireCapability(destination, "list", what);
    requireCapability(destination, "remove", what);
    const lock = await destination.lock(undefined, new AbortController().signal);
    try {
      await work(lock);
    } finally {
      await lock.release();
    }
  } finally {
    await destination.close();
  }
}
