import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostError } from "../errors.js";
import { lockDirectory } from "../io/directory-lock.js";
import { errnoOf, type FileSystem } from "../io/file-system.js";

/** A private directory for indexes that need not outlive the process. */
export interface MemoryDirectory {
  path: string;
  remove(): Promise<void>;
}

const prefix = "holdfast-memory-";
const lockName = "lock.sqlite";
const attempts = 5;

/** Where the directories of in-memory indexes lie: on a memory file system where the machine has one. */
export async function memoryParent(files: FileSystem): Promise<string> {
  const shared = "/dev/shm";
  return (await files.status(shared))?.kind === "directory" ? shared : tmpdir();
}

/**
 * Makes a directory for a host's in-memory indexes, and removes those of hosts that were killed: what nobody holds the lock
 * of would take up memory until the machine restarts. Each start has a name of its own: whoever still removes what an
 * earlier one left cannot mean this one.
 */
export async function openMemoryDirectory(
  files: FileSystem,
  parent: string,
): Promise<MemoryDirectory> {
  for (const other of await files.list(parent))
    if (other.startsWith(prefix)) await removeAbandoned(files, join(parent, other));
  for (let left = attempts; ; left -= 1) {
    const path = join(parent, `${prefix}${randomBytes(16).toString("hex")}`);
    await files.makeDirectory(path);
    try {
      const lock = lockDirectory(join(path, lockName));
      return {
        path,
        async remove() {
          lock.release();
          // A host that is starting finds it unlocked, and removes it as well.
          await removeIfWeCan(files, path);
        },
      };
    } catch (error) {
      // Another host that starts may have taken it for abandoned before the lock was held.
      await removeIfWeCan(files, path);
      if (left === 1) throw error;
    }
  }
}

/** One without a lock file is being created, or belongs to something else. */
async function removeAbandoned(files: FileSystem, path: string): Promise<void> {
  try {
    if ((await files.status(join(path, lockName))) === undefined) return;
    const lock = lockDirectory(join(path, lockName));
    try {
      await removeIfWeCan(files, path);
    } finally {
      lock.release();
    }
  } catch (error) {
    // In use, or another user's: neither is ours to remove.
    if (!(error instanceof HostError) && errnoOf(error) === undefined) throw error;
  }
}

/** Another host may be removing it as well, or it is another user's: no reason for this one not to start. */
async function removeIfWeCan(files: FileSystem, path: string): Promise<void> {
  await files.removeTree(path).catch((error: unknown) => {
    if (errnoOf(error) === undefined) throw error;
  });
}
