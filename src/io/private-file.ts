import { closeSync, openSync } from "node:fs";
import { errnoOf, type FileSystem } from "./file-system.js";

/**
 * Creates a file that only the current user can access, unless it exists. SQLite would use the umask,
 * and gives its journals the mode of the database. An existing file is not opened, because closing it
 * would release all locks of this process on it (POSIX).
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

const groupAndOthers = 0o077;

/** Returns the existing paths that other users can access, with their modes in octal. */
export async function findAccessibleToOthers(
  files: Pick<FileSystem, "status">,
  paths: Iterable<string>,
): Promise<{ path: string; mode: string }[]> {
  const found: { path: string; mode: string }[] = [];
  for (const path of new Set(paths)) {
    const mode = (await files.status(path).catch(() => undefined))?.access.mode ?? 0;
    if ((mode & groupAndOthers) !== 0)
      found.push({ path, mode: (mode & 0o777).toString(8).padStart(4, "0") });
  }
  return found;
}
