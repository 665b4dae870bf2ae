import { openDirectoryReader, pinnedIn, namesIn } from "../container/directory-reader.js";
import type { Location } from "../container/open.js";
import { requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { formatTime } from "../io/time.js";
import { pinName } from "../segment/format.js";
import { sha256Of } from "../io/sha256.js";

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
      throw new HostError(
        "BACKUP_NOT_FOUND",
        `Backup ${name} not found at ${destination.displayName()}. Nothing was pinned.`,
        { metadata: { name } },
      );
    const bytes = Buffer.from(
      `${JSON.stringify({ pinned: formatTime(platform.nowMicros()), reason })}\n`,
    );
    const sha256 = sha256Of(bytes);
    const options = { sizeBytes: bytes.length, sha256, signal: lock.signal };
    await destination.put(pinName(name), { bytes }, options);
  });
}

/** Removes the pin of a backup, if it has one. */
export function unpinBackup(location: Location, name: string): Promise<void> {
  return underLock(location, "unpin backups", async (lock) => {
    const { destination } = location;
    if (!pinnedIn(await namesIn(destination, lock.signal)).has(name)) return;
    await destination.remove([pinName(name)], { signal: lock.signal, lock });
  });
}

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
