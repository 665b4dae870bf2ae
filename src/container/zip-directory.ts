import { HostError } from "../errors.js";
import type { OpenFile } from "../io/file-system.js";
import { limits } from "../limits.js";

/** An entry as the directory at the end of a ZIP tells it; places and sizes in bytes. */
export interface DirectoryEntry {
  name: Buffer;
  flags: number;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
  /** Where what stands before its data begins. */
  offset: number;
}

export interface ZipDirectory {
  /** Where it begins: entries lie before it. */
  offset: number;
  entries: DirectoryEntry[];
}

export const zipDamaged = (path: string, problem: string, cause?: unknown) =>
  new HostError("BACKUP_DAMAGED", `The archive ${path} is damaged: ${problem}.`, {
    metadata: { path },
    cause,
  });

const endBytes = 22;
const locatorBytes = 20;
const commentBytes = 0xffff;

/** Exactly the bytes of a range. */
export async function bytesAt(
  file: OpenFile,
  path: string,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  if (offset < 0 || (await file.read(bytes, offset)) < length)
    throw zipDamaged(path, "something that it names lies outside of it");
  return bytes;
}

/** Reads the directory of a ZIP of any maker, zip64 too. BACKUP_DAMAGED for one that is not whole. */
export async function readZipDirectory(file: OpenFile, path: string): Promise<ZipDirectory> {
  const { offset, sizeBytes, count } = await findDirectory(file, path);
  if (sizeBytes > limits.zipDirectoryBytes)
    throw zipDamaged(path, `its directory would have ${sizeBytes} bytes, more than are read`);
  const bytes = await bytesAt(file, path, offset, sizeBytes);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (entries.length < count) {
    if (at + 46 > bytes.length) throw zipDamaged(path, "its directory is cut short");
    if (bytes.readUInt32LE(at) !== 0x02014b50)
      throw zipDamaged(path, "its directory is not one throughout");
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

/** Where the directory of a ZIP lies, how many entries it says it has, and where its end record lies: padding may follow that. */
export interface DirectoryPlace {
  offset: number;
  sizeBytes: number;
  count: number;
  end: { start: number; length: number };
}

/** Finds the last end record whose comment fits into the file. BACKUP_DAMAGED if there is no such record. */
export async function findDirectory(file: OpenFile, path: string): Promise<DirectoryPlace> {
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
    // Without one the numbers are what they seem.
    if (locator.readUInt32LE(0) === 0x07064b50) {
      end = Number(locator.readBigUInt64LE(8));
      const large = await bytesAt(file, path, end, 56);
      if (large.readUInt32LE(0) !== 0x06064b50) throw zipDamaged(path, "its end is missing");
      [count, sizeBytes, offset] = [32, 40, 48].map((place) =>
        Number(large.readBigUInt64LE(place)),
      ) as [number, number, number];
    }
  }
  if (offset + sizeBytes > end) throw zipDamaged(path, "its directory does not lie before its end");
  return { offset, sizeBytes, count, end: record };
}

/** What 32 bits do not hold stands in an extra field, in this order. */
function sizesOf(
  bytes: Buffer,
  at: number,
  large: Buffer,
): Pick<DirectoryEntry, "packedBytes" | "sizeBytes" | "offset"> {
  let used = 0;
  const number = (place: number) => {
    const short = bytes.readUInt32LE(at + place);
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
