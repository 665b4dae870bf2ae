import { leasePath, removeBackups } from "../container/directory.js";
import { openContainer } from "../container/open.js";
import { HostError } from "../errors.js";
import { acquireLease } from "../io/lease.js";
import type { Platform } from "../io/platform.js";
import type { PruneResult } from "./model.js";

/** Removes backups from a directory by name, and the segments that only they list. Nothing else is ever removed this way. */
export async function pruneBackups(
  platform: Platform,
  path: string,
  names: string[],
  validateOnly: boolean,
): Promise<PruneResult> {
  const signal = new AbortController().signal;
  const reader = await openContainer(platform, path);
  if (reader.kind !== "DIRECTORY") {
    await reader.close();
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `${path} is one archive with one backup: remove the file itself. Pruning is for directories.`,
    );
  }
  const lease = await acquireLease(platform, leasePath(path), signal);
  try {
    const found = await reader.manifests(signal);
    for (const name of names) {
      const one = found.find((each) => each.name === name);
      if (!one)
        throw new HostError(
          "BACKUP_NOT_FOUND",
          `There is no backup ${name} at ${path}; nothing was removed.`,
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
        `The manifest ${damaged[0]?.name} at ${path} cannot be read, so nobody can tell which files it needs; name it too, or repair it. Nothing was removed.`,
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
    const removedFiles = await removeBackups(platform, path, lease, {
      names,
      segments: unused.flatMap(({ segments }) => segments.map(({ name }) => name)),
    });
    return { removedBackups: names, removedFiles: removedFiles.sort(), freedBytes };
  } finally {
    await lease.release();
  }
}
