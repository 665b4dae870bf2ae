import { HostError } from "../../errors.js";
import type { OpenFile } from "../../io/file-system.js";
import { requireRoom, roomIn } from "../../io/room.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { Sink } from "./download.js";

/** A download into a new file, never more than the disk has room for. Whoever makes it closes it and removes the file. */
export interface FileSink extends Sink {
  close(): Promise<void>;
}

/** `onBytes` receives the number of bytes received and their total, 0 if unknown. */
export async function openFileSink(
  platform: Platform,
  path: string,
  directory: string,
  end: string,
  onBytes: (done: number, total: number) => void,
): Promise<FileSink> {
  const { files } = platform;
  let file: OpenFile = await files.create(path);
  let bound = 0;
  let told = 0;
  let unlooked = 0;
  let done = 0;
  const tooLarge = (problem: string) =>
    new HostError(
      "STORAGE_FULL",
      `${end} ${problem}; nothing was changed. Free space on the disk of the data directory and try again.`,
    );

  return {
    async expect(total) {
      const room = Math.max(0, await roomIn(files, directory));
      if (total !== undefined && total > room)
        throw tooLarge(
          `has ${total} bytes, and there is room for ${room} here beside what must stay free`,
        );
      bound = total ?? room;
      told = total ?? 0;
    },
    async write(bytes, position) {
      if (position + bytes.length > bound)
        throw tooLarge(`goes on beyond the ${bound} bytes that there is room for`);
      await file.write(bytes, position);
      unlooked += bytes.length;
      // Others write to the disk too, and a source may be one of many.
      if (unlooked >= limits.freeSpaceCheckBytes) {
        unlooked = 0;
        await requireRoom(files, directory, 0, end);
      }
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
