import { namesIn, openDirectoryReader, pinnedIn } from "../container/directory-reader.js";
import { removeBackups, withoutLocked, type Removed } from "../container/directory-writer.js";
import type { Location } from "../container/open.js";
import type { Destination } from "../destination/destination.js";
import { requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { companionNames } from "../segment/format.js";
import { fileBytesOf, type StoredManifest } from "../segment/manifest.js";
import type { PruneResult } from "./listing.js";

/**
 * Removes backups by name, and the segments that only they list. Removes nothing else, and keeps what is
 * pinned or locked by the store.
 */
export async function pruneBackups(
  platform: Platform,
  { destination, object }: Location,
  names: string[],
  validateOnly: boolean,
): Promise<PruneResult> {
  const { signal } = new AbortController();
  const where = destination.displayName(object);
  if (object !== undefined) {
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `${where} is an archive with a single backup, and pruning is for directories. Remove the archive itself.`,
    );
  }
  requireCapability(destination, "remove", "prune backups");
  const reader = openDirectoryReader(platform, destination);
  const lock = await destination.lock(undefined, signal);
  try {
    const found = await reader.manifests(signal);
    for (const name of names) {
      const one = found.find((each) => each.name === name);
      if (!one)
        throw new HostError(
          "BACKUP_NOT_FOUND",
          `Backup ${name} not found at ${where}. Nothing was removed.`,
          { metadata: { name } },
        );
    }
    const readable = found.flatMap((each) => ("file" in each ? [each.file] : []));
    const unused = readable
      .filter((file) => names.includes(file.name))
      .map((file) => file.manifest);
    const damaged = found.filter((each) => "problem" in each);
    if (damaged.some(({ name }) => !names.includes(name))) {
      throw new HostError(
        "BACKUP_DAMAGED",
        `The manifest ${damaged[0]?.name} at ${where} cannot be read, so the files that it needs are unknown. Nothing was removed. Prune it too, or repair it.`,
      );
    }
    const segments = new Map(
      unused
        .flatMap((manifest) => manifest.segments)
        .map((segment) => [segment.name, fileBytesOf(segment)]),
    );
    const sizes = new Map([...segments, ...(await reader.sizesOf(names, signal))]);
    const result = ({ removed, locked, pinned }: Omit<Removed, "isDone">): PruneResult => ({
      removedBackups: names.filter((name) => removed.includes(name)),
      removedFiles: [...removed].sort(),
      freedBytes: removed.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0),
      lockedFiles: locked,
      pinnedBackups: pinned,
    });
    if (validateOnly) return result(await planRemoval(platform, destination, names, readable));
    return result(
      await removeBackups(platform, destination, lock, { names, segments: [...segments.keys()] }),
    );
  } finally {
    await lock.release();
    await destination.close();
  }
}

/** Returns what removeBackups would remove: locked manifests stay, with the segments that they list. */
async function planRemoval(
  platform: Platform,
  destination: Destination,
  names: readonly string[],
  readable: readonly StoredManifest[],
): Promise<Omit<Removed, "isDone">> {
  const { signal } = new AbortController();
  const present = await namesIn(destination, signal);
  const pins = pinnedIn(present);
  const pinned = names.filter((name) => pins.has(name));
  const unpinned = names.filter((name) => !pins.has(name));
  const manifests = await withoutLocked(platform, destination, unpinned, signal);
  const isRemoved = ({ name }: StoredManifest) => manifests.unlocked.includes(name);
  const segmentsOf = (files: StoredManifest[]) =>
    new Set(files.flatMap(({ manifest }) => manifest.segments.map(({ name }) => name)));
  const needed = segmentsOf(readable.filter((file) => !isRemoved(file)));
  const surplus = [...segmentsOf(readable.filter(isRemoved))].filter((name) => !needed.has(name));
  const segments = await withoutLocked(platform, destination, surplus, signal);
  const there = new Set(present);
  const companions = manifests.unlocked.flatMap(companionNames).filter((name) => there.has(name));
  return {
    removed: [...manifests.unlocked, ...companions, ...segments.unlocked],
    locked: [...manifests.locked, ...segments.locked],
    pinned,
  };
}
