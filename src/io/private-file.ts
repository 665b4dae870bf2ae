import { closeSync, openSync } from "node:fs";
import { errnoOf, type FileSystem } from "./file-system.js";

/**
 * Creates the file for the process's own user alone, where it does not exist: SQLite would create it by the umask, and gives its journals
 * the mode of the file. An existing file is not opened: to close it again would drop every lock that this process holds on it (POSIX).
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

const groupAndOthers = 0o077;

/** The paths that exist and that other users may use, with their modes in octal. */
export async function openToOthers(
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
