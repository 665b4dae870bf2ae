import { createHash } from "node:crypto";
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

/**
 * Makes the directory of one data directory's in-memory indexes, on a memory file system where the machine has one, and
 * removes those of hosts that were killed: what nobody holds the lock of would take up memory until the machine restarts.
 */
export async function openMemoryDirectory(files: FileSystem, dataDirectory: string): Promise<MemoryDirectory> {
  const shared = "/dev/shm";
  const parent = (await files.status(shared))?.kind === "directory" ? shared : tmpdir();
  // The data directory's own lock is held: whatever is there under its name is of a host that is gone.
  const name = `${prefix}${createHash("sha256").update(dataDirectory).digest("hex").slice(0, 32)}`;
  const path = join(parent, name);
  await files.removeTree(path);
  for (const other of await files.list(parent)) if (other.startsWith(prefix)) await removeAbandoned(files, join(parent, other));
  await files.makeDirectory(path, "private");
  const lock = lockDirectory(join(path, lockName));
  return {
    path,
    async remove() {
      lock.release();
      await files.removeTree(path);
    },
  };
}

/** One without a lock file is just being made, or is none of ours. */
async function removeAbandoned(files: FileSystem, path: string): Promise<void> {
  try {
    if ((await files.status(join(path, lockName))) === undefined) return;
    const lock = lockDirectory(join(path, lockName));
    try {
      await files.removeTree(path);
    } finally {
      lock.release();
    }
  } catch (error) {
    // In use, or another user's: neither is ours to remove.
    if (!(error instanceof HostError) && errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") throw error;
  }
}
