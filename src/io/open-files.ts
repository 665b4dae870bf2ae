import type { FileSystem } from "./file-system.js";

/**
 * Returns the number of files that this process may open, or undefined if the operating system is
 * not Linux.
 */
export async function openFilesLimit(files: FileSystem): Promise<number | undefined> {
  try {
    const file = await files.openToRead("/proc/self/limits");
    try {
      const buffer = Buffer.alloc(8192);
      const text = buffer.subarray(0, await file.read(buffer, 0)).toString();
      const limit = /^Max open files\s+(\d+)/m.exec(text)?.[1];
      return limit === undefined ? undefined : Number(limit);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
