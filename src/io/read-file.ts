import { dirname } from "node:path";
import { HostError, type Reason } from "../errors.js";
import { limits } from "../limits.js";
import type { FileSystem, OpenFile } from "./file-system.js";
import { requireFreeSpace } from "./free-space.js";
import { allocateRoomy } from "./roomy-buffer.js";

/** Reads a small file. Throws BACKUP_DAMAGED if it is larger than `maxBytes`. */
export async function readSmallFile(
  files: FileSystem,
  path: string,
  maxBytes: number,
): Promise<Buffer> {
  const file = await files.openToRead(path);
  try {
    const size = await file.size();
    if (size > maxBytes)
      throw new HostError(
        "BACKUP_DAMAGED",
        `${path} is ${size} bytes long and exceeds the limit of ${maxBytes} bytes.`,
      );
    const buffer = Buffer.alloc(size);
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/**
 * Reads a small file that a user has named, such as a list of keys. Throws `reason` if it cannot be
 * read or exceeds `maxBytes`.
 *
 * @param what What the file is, for errors.
 */
export async function readNamedFile(
  files: Pick<FileSystem, "openToRead">,
  path: string,
  { reason, what, maxBytes }: { reason: Reason; what: string; maxBytes: number },
): Promise<Buffer> {
  try {
    const file = await files.openToRead(path);
    try {
      // Whatever size the file system states, the file may grow.
      const buffer = Buffer.alloc(maxBytes + 1);
      const size = await file.read(buffer, 0);
      if (size > maxBytes)
        throw new HostError(reason, `The ${what} ${path} exceeds the limit of ${maxBytes} bytes.`);
      return buffer.subarray(0, size);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof HostError && cause.reason === reason) throw cause;
    throw new HostError(
      reason,
      `Cannot read the ${what} ${path}. Check that it is a regular file and that this user may read it.`,
      { cause },
    );
  }
}

/** Reads a file in chunks of at most `chunkBytes`. Each chunk is a new buffer. */
export async function* readChunks(
  files: FileSystem,
  path: string,
  signal: AbortSignal,
  chunkBytes: number = limits.copyChunkBytes,
): AsyncGenerator<Buffer> {
  const file = await files.openToRead(path);
  try {
    for (let position = 0; ;) {
      signal.throwIfAborted();
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const count = await file.read(buffer, position);
      if (count === 0) return;
      yield buffer.subarray(0, count);
      position += count;
    }
  } finally {
    await file.close();
  }
}

/**
 * Reads the bytes of a file in [offset, end) in chunks of at most `chunkBytes`. Reads the next chunk
 * while the consumer processes one. Throws BACKUP_DAMAGED if the file is shorter.
 */
export async function* readRange(
  files: FileSystem,
  path: string,
  { offset, end, chunkBytes }: { offset: number; end: number; chunkBytes: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = await files.openToRead(path);
  try {
    yield* readOpenRange(file, path, { offset, end, chunkBytes }, signal);
  } finally {
    await file.close();
  }
}

/**
 * Reads a file from `offset` (default: 0) to `end` (default: the end of the file) in chunks of at
 * most `chunkBytes`.
 */
export async function* readPart(
  files: FileSystem,
  path: string,
  part: {
    offset?: number | undefined;
    end?: number | undefined;
    chunkBytes?: number | undefined;
  },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { offset = 0, end, chunkBytes = limits.copyChunkBytes } = part;
  if (end === undefined && offset === 0) yield* readChunks(files, path, signal, chunkBytes);
  else {
    const last = end ?? (await files.status(path))?.sizeBytes ?? 0;
    yield* readRange(files, path, { offset, end: last, chunkBytes }, signal);
  }
}

/** Like readRange, for a file that is already open. Does not close it. */
export async function* readOpenRange(
  file: OpenFile,
  path: string,
  { offset, end, chunkBytes }: { offset: number; end: number; chunkBytes: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const readAt = async (position: number): Promise<Buffer> => {
    const buffer = allocateRoomy(Math.max(0, Math.min(chunkBytes, end - position)));
    if ((await file.read(buffer, position)) === buffer.length) return buffer;
    throw new HostError("BACKUP_DAMAGED", `${path} is shorter than the expected ${end} bytes.`);
  };
  let next = readAt(offset);
  try {
    for (let position = offset; position < end;) {
      signal.throwIfAborted();
      const buffer = await next;
      position += buffer.length;
      next = readAt(position);
      // Awaited in the next iteration, or below.
      next.catch(() => {});
      yield buffer;
    }
  } finally {
    await next.catch(() => {});
  }
}

/**
 * Writes a stream to a new file and returns its size. Removes the file after a failure. Throws
 * BACKUP_DAMAGED if the stream exceeds `maxBytes`. With `keepReserve`, throws STORAGE_FULL if the disk
 * would have less free space than its reserve.
 */
export async function writeStream(
  files: FileSystem,
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
  keepReserve = false,
): Promise<number> {
  const file = await files.create(path);
  let position = 0;
  let uncheckedBytes = 0;
  try {
    for await (const chunk of source) {
      signal.throwIfAborted();
      if (position + chunk.length > maxBytes)
        throw new HostError(
          "BACKUP_DAMAGED",
          `The data for ${path} exceeds the expected ${maxBytes} bytes.`,
        );
      await file.write(chunk, position);
      position += chunk.length;
      uncheckedBytes += chunk.length;
      if (keepReserve && uncheckedBytes >= limits.freeSpaceCheckBytes) {
        uncheckedBytes = 0;
        await requireFreeSpace(files, dirname(path), 0, path);
      }
    }
    await file.close();
    return position;
  } catch (error) {
    await file.close().catch(() => {});
    await files.remove(path).catch(() => {});
    throw error;
  }
}
