import { openDirectoryReader } from "../container/directory-reader.js";
import { removeBackups } from "../container/directory-writer.js";
import type { Location } from "../container/open.js";
import { requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import type { PruneResult } from "./listing.js";

/** Removes backups by name, and the segments that only they list. Removes nothing else. */
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
    const keep = readable.filter((file) => !names.includes(file.name)).map((file) => file.manifest);
    const damaged = found.filter((each) => "problem" in each);
    if (damaged.some(({ name }) => !names.includes(name))) {
      throw new HostError(
        "BACKUP_DAMAGED",
        `The manifest ${damaged[0]?.name} at ${where} cannot be read, so the files that it needs are unknown. Nothing was removed. Prune it too, or repair it.`,
      );
    }
    const needed = new Set(keep.flatMap(({ segments }) => segments.map(({ name }) => name)));
    const surplus = new Map(
      unused
        .flatMap(({ segments }) => segments)
        .filter(({ name }) => !needed.has(name))
        .map((segment) => [segment.name, segment.sizeBytes]),
    );
    const freedBytes = [...surplus.values()].reduce((sum, size) => sum + size, 0);
    if (validateOnly)
      return {
        removedBackups: names,
        removedFiles: [...names, ...surplus.keys()].sort(),
        freedBytes,
      };
    const removedFiles = await removeBackups(platform, destination, lock, {
      names,
      segments: unused.flatMap(({ segments }) => segments.map(({ name }) => name)),
    });
    return { removedBackups: names, removedFiles: removedFiles.sort(), freedBytes };
  } finally {
    await lock.release();
    await destination.close();
  }
}
