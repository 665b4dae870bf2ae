import { statfsSync } from "node:fs";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { FileSystem } from "./file-system.js";

/**
 * Returns how many bytes may be fetched to the disk of a directory: the free space without a reserve
 * of limits.fetchReserveBytes, or of half of a small disk.
 */
export async function availableBytes(
  files: Pick<FileSystem, "freeBytes" | "totalBytes">,
  directory: string,
): Promise<number> {
  const [free, total] = await Promise.all([
    files.freeBytes(directory),
    files.totalBytes(directory),
  ]);
  return withoutReserve(free, total);
}

const withoutReserve = (free: number, total: number) =>
  free - Math.min(limits.fetchReserveBytes, Math.floor(total / 2));

/**
 * Throws STORAGE_FULL unless `bytes` more can be written to the disk of a directory without using its
 * reserve, which documents need. `what` names the file or source in the message.
 */
export async function requireFreeSpace(
  files: Pick<FileSystem, "freeBytes" | "totalBytes">,
  directory: string,
  bytes: number,
  what: string,
): Promise<void> {
  requireAvailable(await availableBytes(files, directory), directory, bytes, what);
}

/** The same for threads and child processes, which it blocks. */
export function requireFreeSpaceNow(directory: string, bytes: number, what: string): void {
  const { bavail, blocks, bsize } = statfsSync(directory);
  requireAvailable(withoutReserve(bavail * bsize, blocks * bsize), directory, bytes, what);
}

function requireAvailable(available: number, directory: string, bytes: number, what: string): void {
  if (bytes <= available) return;
  throw new HostError(
    "STORAGE_FULL",
    `${what} needs ${bytes} more bytes in ${directory}, and ${Math.max(0, available)} are available besides the reserve. Nothing was changed. Free space and try again.`,
  );
}
