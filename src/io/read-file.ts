import { dirname } from "node:path";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { FileSystem, OpenFile } from "./file-system.js";
import { requireRoom } from "./room.js";

/** The whole of a small file; throws BACKUP_DAMAGED where it is larger than `maxBytes`. */
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
        `${path} has ${size} bytes, more than the ${maxBytes} that a file of its kind may have.`,
      );
    const buffer = Buffer.alloc(size);
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/** The bytes of a file in chunks of at most `chunkBytes`; each chunk is a buffer of its own. */
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
 * The bytes of a file in [offset, end), in pieces of at most `pieceBytes`, the next one being read while one is used;
 * BACKUP_DAMAGED where the file is shorter.
 */
export async function* readRange(
  files: FileSystem,
  path: string,
  { offset, end, pieceBytes }: { offset: number; end: number; pieceBytes: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = await files.openToRead(path);
  try {
    yield* readOpenRange(file, path, { offset, end, pieceBytes }, signal);
  } finally {
    await file.close();
  }
}

/** The bytes of a file from `offset` (default: 0) up to `end` (default: its end), in chunks of at most `chunkBytes`. */
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
    yield* readRange(files, path, { offset, end: last, pieceBytes: chunkBytes }, signal);
  }
}

/** The same of a file that is open, and stays so. */
export async function* readOpenRange(
  file: OpenFile,
  path: string,
  { offset, end, pieceBytes }: { offset: number; end: number; pieceBytes: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const readAt = async (position: number): Promise<Buffer> => {
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(pieceBytes, end - position)));
    if ((await file.read(buffer, position)) === buffer.length) return buffer;
    throw new HostError(
      "BACKUP_DAMAGED",
      `${path} ends before the ${end} bytes that it should have.`,
    );
  };
  let next = readAt(offset);
  try {
    for (let position = offset; position < end;) {
      signal.throwIfAborted();
      const buffer = await next;
      position += buffer.length;
      next = readAt(position);
      // It is awaited in the next turn, or below.
      next.catch(() => {});
      yield buffer;
    }
  } finally {
    await next.catch(() => {});
  }
}

/**
 * Writes a stream to a new file, at most `maxBytes`; the file is removed when it fails. Returns its size. `keepsRoom`: the file is on a
 * disk that others need, whose reserve must stay free (STORAGE_FULL).
 */
export async function writeStream(
  files: FileSystem,
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
  keepsRoom = false,
): Promise<number> {
  const file = await files.create(path);
  let position = 0;
  let unlooked = 0;
  try {
    for await (const chunk of source) {
      signal.throwIfAborted();
      if (position + chunk.length > maxBytes)
        throw new HostError(
          "BACKUP_DAMAGED",
          `What is read for ${path} goes on beyond the ${maxBytes} bytes it should have.`,
        );
      await file.write(chunk, position);
      position += chunk.length;
      unlooked += chunk.length;
      if (keepsRoom && unlooked >= limits.freeSpaceCheckBytes) {
        unlooked = 0;
        await requireRoom(files, dirname(path), 0, path);
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
