import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

// The binary format of COPY (documentation of PostgreSQL, COPY, "Binary Format"): a header, then for each row the
// number of its fields and for each field its length and bytes, then -1.
const signature = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
const header = Buffer.concat([signature, Buffer.alloc(8)]);
const trailer = Buffer.from([0xff, 0xff]);

/** A row of the log as COPY sends it, in the order of logColumns; texts as their bytes in UTF-8. */
export type CopiedRow = [
  time: number,
  link: Buffer,
  version: number,
  action: Buffer,
  kind: Buffer,
  owner: Buffer,
  expires: number,
  crc: number,
  body: Buffer,
];

const fieldsOfRow = 9;
const isNumber = [true, false, true, false, false, false, true, true, false];
/** Texts up to this length are compared with those of the row before, which mostly are the same. */
const comparedBytes = 256;

/** Yields the rows of a binary COPY of logColumns, those of a chunk together. Their texts are parts of the chunks. */
export async function* copiedRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<CopiedRow[]> {
  let rest: Buffer = Buffer.alloc(0);
  let headerRead = false;
  let last: CopiedRow | undefined;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (rest.length > 2 * limits.documentBytes + chunk.length)
      throw unreadable("a row is too long");
    let at = 0;
    if (!headerRead) {
      if (rest.length < header.length) continue;
      if (!rest.subarray(0, signature.length).equals(signature)) throw unreadable("its header");
      at = header.length + rest.readInt32BE(signature.length + 4);
      headerRead = true;
    }
    const rows: CopiedRow[] = [];
    for (;;) {
      const end = endOfRow(rest, at);
      if (end === undefined) break;
      if (end === "trailer") {
        yield rows;
        return;
      }
      last = rowAt(rest, at, last);
      rows.push(last);
      at = end;
    }
    rest = rest.subarray(at);
    yield rows;
  }
  throw unreadable("it ended early");
}

/** Returns the end of the row at a position; undefined if the row is not complete. */
function endOfRow(bytes: Buffer, start: number): number | "trailer" | undefined {
  let at = start;
  if (at + 2 > bytes.length) return undefined;
  const count = bytes.readInt16BE(at);
  if (count < 0) return "trailer";
  if (count !== fieldsOfRow) throw unreadable("a row has other columns");
  at += 2;
  for (let field = 0; field < fieldsOfRow; field += 1) {
    if (at + 4 > bytes.length) return undefined;
    const length = bytes.readInt32BE(at);
    if (length < 0) throw unreadable("a field is null");
    if (isNumber[field] && length !== 8) throw unreadable("a number has another length");
    at += 4 + length;
  }
  return at > bytes.length ? undefined : at;
}

/** Reads the complete row at a position. */
function rowAt(bytes: Buffer, start: number, last: CopiedRow | undefined): CopiedRow {
  let at = start + 2;
  const number = () => {
    at += 12;
    return bytes.readInt32BE(at - 8) * 2 ** 32 + bytes.readUInt32BE(at - 4);
  };
  const text = (before: Buffer | undefined) => {
    const from = at + 4;
    const length = bytes.readInt32BE(at);
    at = from + length;
    const isSame =
      before?.length === length && length <= comparedBytes && before.compare(bytes, from, at) === 0;
    return isSame ? before : bytes.subarray(from, at);
  };
  return [
    number(),
    text(last?.[1]),
    number(),
    text(last?.[3]),
    text(last?.[4]),
    text(last?.[5]),
    number(),
    number(),
    text(undefined),
  ];
}

const unreadable = (problem: string) =>
  new HostError("INTERNAL", `The answer of the database to COPY cannot be read: ${problem}.`);

/**
 * Yields a binary COPY of rows, whose numbers are bigints of PostgreSQL, in chunks of about limits.copyChunkBytes.
 * `onRow` receives the number of bytes of the last field of each row. BACKUP_DAMAGED.
 */
export function* copyOf(
  rows: Iterable<readonly (number | string)[]>,
  onRow: (lastBytes: number) => void,
): Generator<Buffer> {
  let chunk = Buffer.allocUnsafe(limits.copyChunkBytes);
  let at = header.copy(chunk);
  for (const row of rows) {
    const most = mostBytesOf(row);
    if (at + most > chunk.length) {
      yield chunk.subarray(0, at);
      chunk = Buffer.allocUnsafe(Math.max(limits.copyChunkBytes, most));
      at = 0;
    }
    at = chunk.writeInt16BE(row.length, at);
    let last = 0;
    for (const value of row) {
      last =
        typeof value === "number"
          ? writeNumber(chunk, value, at + 4)
          : chunk.write(value, at + 4, "utf8");
      chunk.writeInt32BE(last, at);
      at += 4 + last;
    }
    onRow(last);
  }
  yield chunk.subarray(0, at);
  yield trailer;
}

/** Returns a bound of the bytes of a row: a unit of UTF-16 has at most three bytes in UTF-8. */
function mostBytesOf(row: readonly (number | string)[]): number {
  let bytes = 2;
  for (const value of row) bytes += 4 + (typeof value === "number" ? 8 : 3 * value.length);
  return bytes;
}

/** Writes a number without a BigInt, which costs as much as the rest of the row, and returns its length. */
function writeNumber(bytes: Buffer, value: number, at: number): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new HostError(
      "BACKUP_DAMAGED",
      `A row of the segment has the number ${value}. Use another backup.`,
    );
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value % 2 ** 32, at + 4);
  return 8;
}
