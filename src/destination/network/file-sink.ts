import { HostError } from "../../errors.js";
import type { OpenFile } from "../../io/file-system.js";
import { requireFreeSpace, availableBytes } from "../../io/free-space.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/** Receives the bytes of a download. Its errors end the download unchanged. */
export interface Sink {
  /** Called with the size of the file, or undefined if unknown. Throws if the file is too large. */
  expect(total: number | undefined): Promise<void>;
  /** Writes bytes at an offset. */
  write(bytes: Buffer, position: number): Promise<void>;
  /** Discards all bytes, because the download starts again. */
  restart(): Promise<void>;
}

/**
 * Writes a download to a new file, and keeps the reserve of the disk free. The caller closes it and
 * removes the file.
 */
export interface FileSink extends Sink {
  close(): Promise<void>;
}

/**
 * Creates the file. `directory` is on the same disk; `server` names the source in messages. `onBytes`
 * receives the bytes received so far and their total, which is 0 if unknown.
 */
export async function openFileSink(
  platform: Platform,
  path: string,
  directory: string,
  server: string,
  onBytes: (done: number, total: number) => void,
): Promise<FileSink> {
  const { files } = platform;
  let file: OpenFile = await files.create(path);
  let maxBytes = 0;
  let totalBytes = 0;
  let uncheckedBytes = 0;
  let done = 0;
  const tooLarge = (problem: string) =>
    new HostError(
      "STORAGE_FULL",
      `${server} ${problem}. Nothing was changed. Free space on the disk of the data directory and try again.`,
    );

  return {
    async expect(total) {
      const available = Math.max(0, await availableBytes(files, directory));
      if (total !== undefined && total > available)
        throw tooLarge(`has ${total} bytes, and ${available} are available besides the reserve`);
      maxBytes = total ?? available;
      totalBytes = total ?? 0;
    },
    async write(bytes, position) {
      if (position + bytes.length > maxBytes)
        throw tooLarge(`exceeds the ${maxBytes} bytes that it announced or that are available`);
      await file.write(bytes, position);
      uncheckedBytes += bytes.length;
      // Documents and other sources use the disk too.
      if (uncheckedBytes >= limits.freeSpaceCheckBytes) {
        uncheckedBytes = 0;
        await requireFreeSpace(files, directory, 0, server);
      }
      onBytes((done += bytes.length), totalBytes);
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
