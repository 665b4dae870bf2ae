import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Platform } from "./platform.js";

/** Prefix of temporary files. The owner of the lease of a directory may remove those in it. */
export const temporaryPrefix = ".holdfast-";

/** Returns a random name for a temporary file. */
export function temporaryName(platform: Pick<Platform, "randomHex">): string {
  return `${temporaryPrefix}${platform.randomHex(8)}.tmp`;
}

/**
 * Renames a complete file durably within its directory: fsync, rename, fsync of the directory. A
 * replaced file passes on its mode and owner, so that a private file stays private.
 */
export async function publishFile(
  platform: Pick<Platform, "files">,
  from: string,
  to: string,
): Promise<void> {
  const replaced = await platform.files.status(to);
  const file = await platform.files.openToWrite(from);
  try {
    if (replaced?.kind === "file") await file.setAccess(replaced.access);
    await file.sync();
  } finally {
    await file.close();
  }
  await platform.files.rename(from, to);
  await platform.files.syncDirectory(dirname(to));
}

/**
 * Writes a small file durably and atomically: after a crash, `path` has the complete old or new
 * content.
 */
export async function writeFileDurably(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
  content: Uint8Array,
): Promise<void> {
  const temporary = `${dirname(path)}/${temporaryName(platform)}`;
  try {
    const file = await platform.files.create(temporary);
    try {
      await file.write(content, 0);
    } finally {
      await file.close();
    }
    await publishFile(platform, temporary, path);
  } catch (error) {
    await platform.files.remove(temporary).catch(() => {});
    throw error;
  }
}

/**
 * Syncs a file or directory. Blocks, so it is for threads and child processes only; not for files
 * of a live index.
 */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
