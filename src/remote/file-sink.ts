import { HostError } from "../errors.js";
import type { OpenFile } from "../io/file-system.js";
import type { Seams } from "../io/seams.js";
import { limits } from "../limits.js";
import type { Sink } from "./download.js";

/** A download into a new file, never more than the disk has room for. Whoever makes it closes it and removes the file. */
export interface FileSink extends Sink {
  close(): Promise<void>;
}

/** `onBytes` hears how many bytes have come of how many, 0 where nobody knows. */
export async function openFileSink(seams: Seams, path: string, directory: string, end: string, onBytes: (done: number, total: number) => void): Promise<FileSink> {
  const { files } = seams;
  let file: OpenFile = await files.create(path);
  let bound = 0;
  let told = 0;
  let done = 0;
  const tooLarge = (problem: string) => new HostError("STORAGE_FULL", `${end} ${problem}; nothing was changed. Free space on the disk of the data directory and try again.`);

  return {
    async expect(total) {
      const free = await files.freeBytes(directory);
      if (total !== undefined && total > free) throw tooLarge(`has ${total} bytes, and ${free} are free here`);
      bound = total ?? Math.max(0, free - limits.remoteReserveBytes);
      told = total ?? 0;
    },
    async write(bytes, position) {
      if (position + bytes.length > bound) throw tooLarge(`goes on beyond the ${bound} bytes that there is room for`);
      await file.write(bytes, position);
      onBytes((done += bytes.length), told);
    },
    async restart() {
      await file.close();
      await files.remove(path);
      file = await files.create(path);
      done = 0;
    },
    close: () => file.close(),
  };
}
