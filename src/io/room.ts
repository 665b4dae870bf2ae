import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { FileSystem } from "./file-system.js";

/** How much of the disk of a directory what comes from outside may take: what is free, but for a reserve of limits.fetchReserveBytes, or half of a small disk. */
export async function roomIn(
  files: Pick<FileSystem, "freeBytes" | "totalBytes">,
  directory: string,
): Promise<number> {
  const [free, total] = await Promise.all([
    files.freeBytes(directory),
    files.totalBytes(directory),
  ]);
  return free - Math.min(limits.fetchReserveBytes, Math.floor(total / 2));
}

/**
 * STORAGE_FULL unless so many more bytes may be written to the disk of a directory while its reserve stays free: documents are written
 * there too. `what` is what needs them.
 */
export async function requireRoom(
  files: Pick<FileSystem, "freeBytes" | "totalBytes">,
  directory: string,
  bytes: number,
  what: string,
): Promise<void> {
  const room = await roomIn(files, directory);
  if (bytes <= room) return;
  throw new HostError(
    "STORAGE_FULL",
    `${what} needs ${bytes} more bytes in ${directory}, and there is room for ${Math.max(0, room)} beside what must stay free. Nothing was changed. Free space and try again.`,
  );
}
