import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { lockDirectory } from "../../io/directory-lock.js";
import { errnoOf, type FileSystem } from "../../io/file-system.js";

/** A private directory for indexes that end with the process. */
export interface MemoryDirectory {
  path: string;
  remove(): Promise<void>;
}

const prefix = "holdfast-memory-";
const lockName = "lock.sqlite";
const attempts = 5;

/** Returns the parent of memory directories: a memory file system if the machine has one. */
export async function memoryParent(files: FileSystem): Promise<string> {
  const shared = "/dev/shm";
  return (await files.status(shared))?.kind === "directory" ? shared : tmpdir();
}

/**
 * Creates a directory for the in-memory indexes of a host, and removes those of killed hosts, whose locks are free: they
 * would occupy memory until the machine restarts. Each start uses a new name, so that a host which is still removing an
 * older directory cannot remove this one.
 */
export async function openMemoryDirectory(
  files: FileSystem,
  parent: string,
): Promise<MemoryDirectory> {
  for (const other of await files.list(parent))
    if (other.startsWith(prefix)) await removeAbandoned(files, join(parent, other));
  for (let attempt = 1; ; attempt += 1) {
    const path = join(parent, `${prefix}${randomBytes(16).toString("hex")}`);
    await files.makeDirectory(path);
    try {
      const lock = lockDirectory(join(path, lockName));
      return {
        path,
        async remove() {
          lock.release();
          // A host that starts now finds it unlocked and removes it too.
          await removeIfWeCan(files, path);
        },
      };
    } catch (error) {
      // Another host that starts may have removed it before the lock was held.
      await removeIfWeCan(files, path);
      if (attempt === attempts) throw error;
    }
  }
}

/** A directory without a lock file is being created, or is not one of ours. */
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
    // It is in use, or belongs to another user.
    if (!(error instanceof HostError) && errnoOf(error) === undefined) throw error;
  }
}

/** Another host may be removing it too, or it belongs to another user: neither prevents a start. */
async function removeIfWeCan(files: FileSystem, path: string): Promise<void> {
  await files.removeTree(path).catch((error: unknown) => {
    if (errnoOf(error) === undefined) throw error;
  });
}
