import { dirname } from "node:path";
import type { Platform } from "./platform.js";

/** Files with this prefix are unfinished: whoever holds the directory's lease may remove them. */
export const temporaryPrefix = ".holdfast-";

/** A name for an unfinished file in the directory of `path`. */
export function temporaryName(platform: Pick<Platform, "randomHex">): string {
  return `${temporaryPrefix}${platform.randomHex(8)}.tmp`;
}

/**
 * Makes the finished file `from` durable under the name `to` in the same directory: fsync, rename, fsync the directory. A file that
 * is replaced hands on its mode and owner, so that a private file stays private.
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

/** Writes a small file durably: after a crash at any moment `path` holds the old content or the new, whole. */
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
