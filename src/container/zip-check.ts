import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { errnoOf, type FileSystem, type OpenFile } from "../io/file-system.js";
import { limits } from "../limits.js";
import {
  bytesAt,
  readZipDirectory,
  zipDamaged,
  type DirectoryEntry,
  type ZipDirectory,
} from "./zip-directory.js";

type Through = (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

const stored = 0;
const deflated = 8;
const encryptedFlag = 1;
/** Flag of an entry whose sizes and checksum follow its data. */
const describedFlag = 8;

/** Whether a file that begins with these four bytes is a complete or partial ZIP archive. */
export const beginsZip = (begin: Buffer) =>
  begin.length === 4 &&
  (begin.readUInt32LE(0) === 0x04034b50 || begin.readUInt32LE(0) === 0x06054b50);

/**
 * Verifies a ZIP archive of any program: each entry of the directory must exist, must not share bytes
 * with another one, and must match its size and checksum. All uncompressed data passes through
 * `through`. Throws BACKUP_DAMAGED, also if an entry cannot be verified.
 */
export async function checkZip(
  files: FileSystem,
  path: string,
  through: Through,
): Promise<{ sizeBytes: number }> {
  const file = await files.openToRead(path);
  try {
    const directory = await readZipDirectory(file, path);
    const starts = await checkSpans(file, path, directory);
    for (const [i, entry] of directory.entries.entries()) {
      const start = starts[i] ?? 0;
      await checkData(file, path, entry, start, through);
      if ((entry.flags & describedFlag) !== 0)
        await checkDescriptor(file, path, entry, start + entry.packedBytes);
    }
    return { sizeBytes: await file.size() };
  } finally {
    await file.close();
  }
}

/**
 * Returns the offset of the data of each entry. Throws if entries share bytes: many entries could
 * otherwise refer to the same few bytes, which would be unpacked for each.
 */
async function checkSpans(
  file: OpenFile,
  path: string,
  { entries, offset }: ZipDirectory,
): Promise<number[]> {
  const byOffset = [...entries.entries()].sort(([, a], [, b]) => a.offset - b.offset);
  const starts = new Array<number>(entries.length).fill(0);
  let end = 0;
  for (const [i, entry] of byOffset) {
    if (entry.offset < end) throw zipDamaged(path, "two of its entries share bytes");
    const start = await checkHeader(file, path, entry);
    starts[i] = start;
    end = start + entry.packedBytes;
    if (end > offset) throw damaged(path, entry, "overlaps the directory");
  }
  return starts;
}

const damaged = (path: string, { name }: DirectoryEntry, problem: string, cause?: unknown) =>
  zipDamaged(path, `its entry ${JSON.stringify(name.toString().slice(0, 200))} ${problem}`, cause);

/**
 * Compares the local header of an entry with the directory, because programs read either. Returns
 * the offset of the data.
 */
async function checkHeader(file: OpenFile, path: string, entry: DirectoryEntry): Promise<number> {
  const header = await bytesAt(file, path, entry.offset, 30);
  if (header.readUInt32LE(0) !== 0x04034b50)
    throw damaged(path, entry, "is not where the directory says");
  const nameLength = header.readUInt16LE(26);
  const name = await bytesAt(file, path, entry.offset + 30, nameLength);
  const agrees = (at: number, value: number) =>
    [value, 0xffffffff].includes(header.readUInt32LE(at));
  const described = (header.readUInt16LE(6) & describedFlag) !== 0;
  const same =
    name.equals(entry.name) &&
    header.readUInt16LE(8) === entry.method &&
    described === ((entry.flags & describedFlag) !== 0) &&
    (described ||
      (header.readUInt32LE(14) === entry.crc &&
        agrees(18, entry.packedBytes) &&
        agrees(22, entry.sizeBytes)));
  if (!same) throw damaged(path, entry, "has a local header that differs from the directory");
  return entry.offset + 30 + nameLength + header.readUInt16LE(28);
}

async function checkDescriptor(
  file: OpenFile,
  path: string,
  entry: DirectoryEntry,
  end: number,
): Promise<void> {
  const bytes = await bytesAt(file, path, end, 8);
  const crc = bytes.readUInt32LE(0) === 0x08074b50 ? bytes.readUInt32LE(4) : bytes.readUInt32LE(0);
  if (crc !== entry.crc)
    throw damaged(path, entry, "has a data descriptor whose checksum differs from the directory");
}

async function checkData(
  file: OpenFile,
  path: string,
  entry: DirectoryEntry,
  start: number,
  through: Through,
): Promise<void> {
  if ((entry.flags & encryptedFlag) !== 0)
    throw damaged(path, entry, "is encrypted and cannot be verified");
  let size = 0;
  let crc = 0;
  const count = async (bytes: AsyncIterable<Buffer>) => {
    for await (const chunk of through(bytes)) {
      size += chunk.length;
      if (size > entry.sizeBytes) throw damaged(path, entry, "unpacks to more than its size");
      crc = crc32(chunk, crc);
    }
  };
  const packed = packedBytes(file, path, start, entry.packedBytes);
  if (entry.method === stored) await count(packed);
  else if (entry.method === deflated) {
    const inflate = createInflateRaw({ chunkSize: limits.inflatedChunkBytes });
    try {
      await pipeline(Readable.from(packed, { objectMode: false }), inflate, count);
    } catch (error) {
      if (isZlibError(error)) throw damaged(path, entry, "cannot be unpacked", error);
      throw error;
    }
    if (inflate.bytesWritten !== entry.packedBytes)
      throw damaged(path, entry, "ends before its packed size");
  } else
    throw damaged(
      path,
      entry,
      `is compressed by method ${entry.method} and cannot be verified; supported methods are 0 and 8`,
    );
  if (size !== entry.sizeBytes)
    throw damaged(path, entry, `unpacks to ${size} bytes, not ${entry.sizeBytes}`);
  if (crc !== entry.crc) throw damaged(path, entry, "does not match its checksum");
}

async function* packedBytes(
  file: OpenFile,
  path: string,
  start: number,
  length: number,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < length; at += limits.archiveReadBytes) {
    yield await bytesAt(file, path, start + at, Math.min(limits.archiveReadBytes, length - at));
  }
}

const isZlibError = (thrown: unknown) => errnoOf(thrown)?.startsWith("Z_") ?? false;
