import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

// The binary format of COPY (documentation of PostgreSQL, COPY, "Binary Format"): a header, then for each row the
// number of its fields and for each field its length and bytes, then -1.
const signature = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
const header = Buffer.concat([signature, Buffer.alloc(8)]);
const trailer = Buffer.from([0xff, 0xff]);

/** Yields the fields of each row of a binary COPY, as parts of the chunks. */
export async function* copiedRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let headerRead = false;
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
    for (;;) {
      const row = rowAt(rest, at);
      if (row === undefined) break;
      if (row === "end") return;
      at = row.end;
      yield row.fields;
    }
    rest = rest.subarray(at);
  }
  throw unreadable("it ended early");
}

/** Returns the row at a position; undefined if it is not complete. */
function rowAt(
  bytes: Buffer,
  start: number,
): { fields: Buffer[]; end: number } | "end" | undefined {
  let at = start;
  if (at + 2 > bytes.length) return undefined;
  const count = bytes.readInt16BE(at);
  if (count < 0) return "end";
  at += 2;
  const fields: Buffer[] = [];
  for (let i = 0; i < count; i += 1) {
    if (at + 4 > bytes.length) return undefined;
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) throw unreadable("a field is null");
    if (at + length > bytes.length) return undefined;
    fields.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { fields, end: at };
}

const unreadable = (problem: string) =>
  new HostError("INTERNAL", `The answer of the database to COPY cannot be read: ${problem}.`);

/** Yields a binary COPY of rows, whose numbers are bigints of PostgreSQL, in chunks of about limits.copyChunkBytes. */
export function* copyOf(
  rows: Iterable<readonly (number | string)[]>,
  onRow: () => void,
): Generator<Buffer> {
  let parts: Buffer[] = [header];
  let bytes = header.length;
  for (const row of rows) {
    const encoded = encodeRow(row);
    parts.push(encoded);
    bytes += encoded.length;
    onRow();
    if (bytes < limits.copyChunkBytes) continue;
    yield Buffer.concat(parts, bytes);
    parts = [];
    bytes = 0;
  }
  yield Buffer.concat([...parts, trailer]);
}

function encodeRow(row: readonly (number | string)[]): Buffer {
  const sizes = row.map((value) => (typeof value === "number" ? 8 : Buffer.byteLength(value)));
  const bytes = Buffer.allocUnsafe(2 + 4 * row.length + sizes.reduce((sum, size) => sum + size, 0));
  let at = bytes.writeInt16BE(row.length, 0);
  for (const [i, value] of row.entries()) {
    const size = sizes[i] ?? 0;
    at = bytes.writeInt32BE(size, at);
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new HostError(
          "BACKUP_DAMAGED",
          `A row of the segment has the number ${value}. Use another backup.`,
        );
      // Without a BigInt, which costs as much as the rest of the row.
      at = bytes.writeInt32BE(Math.floor(value / 2 ** 32), at);
      at = bytes.writeUInt32BE(value % 2 ** 32, at);
    } else at += bytes.write(value, at, size, "utf8");
  }
  return bytes;
}

/** Returns a number of 8 bytes, which is below 2^53. */
export const numberOf = (field: Buffer) => field.readInt32BE(0) * 2 ** 32 + field.readUInt32BE(4);
