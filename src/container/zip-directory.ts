import { HostError } from "../errors.js";
import type { OpenFile } from "../io/file-system.js";
import { limits } from "../limits.js";

/** An entry of the central directory of a ZIP archive. */
export interface DirectoryEntry {
  name: Buffer;
  flags: number;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
  /** Offset of the local header. */
  offset: number;
}

/** The central directory of a ZIP archive. */
export interface ZipDirectory {
  /** Offset of the directory. The entries are before it. */
  offset: number;
  entries: DirectoryEntry[];
}

/** Returns the error for an invalid archive. */
export const zipDamaged = (path: string, problem: string, cause?: unknown) =>
  new HostError("BACKUP_DAMAGED", `The archive ${path} is damaged: ${problem}.`, {
    metadata: { path },
    cause,
  });

const endBytes = 22;
const locatorBytes = 20;
const commentBytes = 0xffff;

/** Reads exactly `length` bytes at an offset. Throws BACKUP_DAMAGED if the file is shorter. */
export async function bytesAt(
  file: OpenFile,
  path: string,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  if (offset < 0 || (await file.read(bytes, offset)) < length)
    throw zipDamaged(path, "it refers to bytes outside the file");
  return bytes;
}

/**
 * Reads the central directory of a ZIP archive of any program, including ZIP64. Throws
 * BACKUP_DAMAGED.
 */
export async function readZipDirectory(file: OpenFile, path: string): Promise<ZipDirectory> {
  const { offset, sizeBytes, count } = await findDirectory(file, path);
  if (sizeBytes > limits.zipDirectoryBytes)
    throw zipDamaged(
      path,
      `its directory of ${sizeBytes} bytes exceeds the limit of ${limits.zipDirectoryBytes} bytes`,
    );
  const bytes = await bytesAt(file, path, offset, sizeBytes);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (entries.length < count) {
    if (at + 46 > bytes.length) throw zipDamaged(path, "its directory is cut short");
    if (bytes.readUInt32LE(at) !== 0x02014b50)
      throw zipDamaged(path, "its directory contains an invalid entry");
    const [nameLength, extraLength, commentLength] = [
      bytes.readUInt16LE(at + 28),
      bytes.readUInt16LE(at + 30),
      bytes.readUInt16LE(at + 32),
    ];
    const extraAt = at + 46 + nameLength;
    const next = extraAt + extraLength + commentLength;
    if (next > bytes.length) throw zipDamaged(path, "its directory is cut short");
    entries.push({
      name: bytes.subarray(at + 46, extraAt),
      flags: bytes.readUInt16LE(at + 8),
      method: bytes.readUInt16LE(at + 10),
      crc: bytes.readUInt32LE(at + 16),
      ...sizesOf(bytes, at, zip64Of(bytes.subarray(extraAt, extraAt + extraLength))),
    });
    at = next;
  }
  return { offset, entries };
}

/** Location of the central directory of a ZIP archive. */
export interface DirectoryLocation {
  offset: number;
  sizeBytes: number;
  /** Number of entries. */
  count: number;
  /** The end record, which padding may follow. */
  end: { start: number; length: number };
}

/**
 * Finds the central directory by the last end record whose comment fits into the file. Throws
 * BACKUP_DAMAGED if it is missing.
 */
export async function findDirectory(file: OpenFile, path: string): Promise<DirectoryLocation> {
  const size = await file.size();
  const tail = await bytesAt(
    file,
    path,
    Math.max(0, size - endBytes - commentBytes),
    Math.min(size, endBytes + commentBytes),
  );
  let at = tail.length - endBytes;
  while (
    at >= 0 &&
    !(
      tail.readUInt32LE(at) === 0x06054b50 &&
      at + endBytes + tail.readUInt16LE(at + 20) <= tail.length
    )
  )
    at -= 1;
  if (at < 0) throw zipDamaged(path, "its end is missing");
  const record = { start: size - tail.length + at, length: endBytes + tail.readUInt16LE(at + 20) };
  let end = record.start;
  let [count, sizeBytes, offset] = [
    tail.readUInt16LE(at + 10),
    tail.readUInt32LE(at + 12),
    tail.readUInt32LE(at + 16),
  ];
  if (count === 0xffff || sizeBytes === 0xffffffff || offset === 0xffffffff) {
    const locator =
      end >= locatorBytes
        ? await bytesAt(file, path, end - locatorBytes, locatorBytes)
        : Buffer.alloc(locatorBytes);
    // Without a ZIP64 locator, the numbers are literal.
    if (locator.readUInt32LE(0) === 0x07064b50) {
      end = Number(locator.readBigUInt64LE(8));
      const large = await bytesAt(file, path, end, 56);
      if (large.readUInt32LE(0) !== 0x06064b50) throw zipDamaged(path, "its end is missing");
      [count, sizeBytes, offset] = [32, 40, 48].map((offset64) =>
        Number(large.readBigUInt64LE(offset64)),
      ) as [number, number, number];
    }
  }
  if (offset + sizeBytes > end) throw zipDamaged(path, "its directory overlaps its end record");
  return { offset, sizeBytes, count, end: record };
}

/**
 * Returns sizes and offset of an entry. Values of more than 32 bits are in the ZIP64 extra field,
 * in this order.
 */
function sizesOf(
  bytes: Buffer,
  at: number,
  large: Buffer,
): Pick<DirectoryEntry, "packedBytes" | "sizeBytes" | "offset"> {
  let used = 0;
  const number = (field: number) => {
    const short = bytes.readUInt32LE(at + field);
    if (short !== 0xffffffff || used + 8 > large.length) return short;
    used += 8;
    return Number(large.readBigUInt64LE(used - 8));
  };
  const sizeBytes = number(24);
  const packedBytes = number(20);
  return { sizeBytes, packedBytes, offset: number(42) };
}

function zip64Of(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1)
      return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  return Buffer.alloc(0);
}
