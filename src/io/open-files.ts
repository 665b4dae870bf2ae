import type { FileSystem } from "./file-system.js";

/** How many files this process may have open; undefined where the system does not tell, as only Linux does. */
export async function openFilesLimit(files: FileSystem): Promise<number | undefined> {
  try {
    const file = await files.openToRead("/proc/self/limits");
    try {
      const buffer = Buffer.alloc(8192);
      const text = buffer.subarray(0, await file.read(buffer, 0)).toString();
      const most = /^Max open files\s+(\d+)/m.exec(text)?.[1];
      return most === undefined ? undefined : Number(most);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
