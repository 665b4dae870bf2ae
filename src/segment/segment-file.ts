import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statSync,
  type Stats,
} from "node:fs";
import Database from "better-sqlite3";
import { crc32 } from "node:zlib";
import { checkLink } from "../document/link.js";
import { scanMembers } from "../document/members.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { SegmentSource } from "../engine/engine.js";
import { logChecksumText, pruneChecksumText } from "./row.js";
import { segmentSchema } from "./tables.js";

/**
 * Returns the SHA-256 of a file in lower-case hexadecimal. Blocks, so it is for threads and child
 * processes only. `cancelled` is called for each chunk and throws to cancel.
 */
export function digestFile(path: string, cancelled: () => void): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(limits.copyChunkBytes);
    for (;;) {
      cancelled();
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}

function damaged(segment: SegmentSource, problem: string): HostError {
  return new HostError(
    "BACKUP_DAMAGED",
    `The segment ${segment.path} is damaged: ${problem}. Use another backup.`,
    {
      metadata: { file: segment.path },
    },
  );
}

/**
 * Checks the size and digest of a segment, which must be done before its contents are read. Throws
 * BACKUP_DAMAGED.
 */
export function checkDigest(segment: SegmentSource, cancelled: () => void): void {
  const { size } = regularFile(segment);
  if (size !== segment.sizeBytes)
    throw damaged(segment, `its size is ${size} bytes, not ${segment.sizeBytes}`);
  const digest = digestFile(segment.path, cancelled);
  if (digest !== segment.sha256)
    throw damaged(segment, `its SHA-256 is ${digest}, not ${segment.sha256}`);
}

/** Opening a pipe would block. */
function regularFile(segment: SegmentSource): Stats {
  const status = statSync(segment.path);
  if (!status.isFile()) throw damaged(segment, "it is not a regular file");
  return status;
}

/**
 * Opens a segment for reading. Throws BACKUP_DAMAGED unless its schema is exactly that of a
 * segment.
 */
export function openSegment(segment: SegmentSource): Database.Database {
  regularFile(segment);
  // SQLite would replay such a file into the database.
  const journal = ["-wal", "-shm", "-journal"].find((suffix) => existsSync(segment.path + suffix));
  if (journal !== undefined)
    throw damaged(segment, `it has a ${journal} file, which no backup has`);
  const db = new Database(segment.path, { readonly: true, fileMustExist: true });
  try {
    db.pragma("trusted_schema = OFF");
    db.pragma("cell_size_check = ON");
    db.pragma("cache_size = -4096");
    const tables = db.prepare("SELECT type, name, sql FROM sqlite_schema").all() as {
      type: string;
      name: string;
      sql: string | null;
    }[];
    for (const { type, name, sql } of tables) {
      if (type !== "table" || sql === null || segmentSchema[name] !== sql)
        throw damaged(segment, `it contains an unexpected ${type} ${name}`);
    }
    if (tables.length !== Object.keys(segmentSchema).length)
      throw damaged(segment, "a table is missing");
    return db;
  } catch (thrown) {
    db.close();
    throw thrown instanceof HostError
      ? thrown
      : damaged(segment, thrown instanceof Error ? thrown.message : "it cannot be read");
  }
}

const rowsOfRange = 1000;

/**
 * SQL for the limits of a row. Types are checked first, because a crafted file may contain other
 * types than its columns declare.
 */
const soundRow = `typeof(link) = 'text' AND typeof(version) = 'integer' AND typeof(action) = 'text' AND typeof(kind) = 'text'
  AND typeof(owner) = 'text' AND typeof(expires) = 'integer' AND typeof(crc) = 'integer' AND typeof(body) = 'text'
  AND octet_length(link) BETWEEN 1 AND ${limits.selfLinkBytes} AND version BETWEEN 0 AND ${limits.maxTimeMicros} AND expires BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}
  AND octet_length(kind) <= ${limits.kindBytes} AND octet_length(owner) <= ${limits.kindBytes} AND instr(kind || owner, x'0a') = 0 AND time <= ${limits.maxTimeMicros}
  AND action IN ('POST', 'PATCH', 'PUT', 'DELETE') AND octet_length(body) <= ${limits.documentBytes} AND json_type(body) = 'object'`;

/** A half of the rows of a segment, so that two threads can share the work. */
export type Half = "first" | "second";

/** Number of rows from which two threads share a segment. */
export const rowsWorthSharing = 20_000;

/**
 * Checks the count of rows, and the range, types, limits and checksum of each row. `report` receives
 * the number of rows read since the last call and throws to cancel. Throws BACKUP_DAMAGED.
 */
export function checkRows(
  segment: SegmentSource,
  report: (rows: number) => void,
  half?: Half,
): void {
  readSegment(segment, (db) => {
    const total = db.prepare("SELECT count(*) FROM log").pluck().get() as number;
    if (total !== segment.records)
      throw damaged(segment, `it contains ${total} rows, not ${segment.records}`);
    const middle = half === undefined ? undefined : middleOf(db, total);
    const after = half === "second" && middle !== undefined ? middle : Number.MIN_SAFE_INTEGER;
    const upTo = half === "first" && middle !== undefined ? middle : Number.MAX_SAFE_INTEGER;
    checkRange(db, segment, { after, upTo }, report);
    if (half !== "second") checkCompactions(db, segment);
  });
}

/**
 * Opens a segment, calls `work` and closes it. Throws BACKUP_DAMAGED if SQLite cannot read the
 * segment.
 */
export function readSegment<T>(segment: SegmentSource, work: (db: Database.Database) => T): T {
  const db = openSegment(segment);
  try {
    return work(db);
  } catch (thrown) {
    throw thrown instanceof Database.SqliteError ? damaged(segment, thrown.message) : thrown;
  } finally {
    db.close();
  }
}

function middleOf(db: Database.Database, total: number): number | undefined {
  return db
    .prepare("SELECT time FROM log ORDER BY time LIMIT 1 OFFSET ?")
    .pluck()
    .get(Math.floor(total / 2)) as number | undefined;
}

/** Rows with a time in (after, upTo]. */
export interface RowRange {
  after: number;
  upTo: number;
  /** Maximum number of rows. Default: no limit. */
  rows?: number;
}

/**
 * Checks the rows of a range. `report` receives the rows and bytes read since the last call. Throws
 * BACKUP_DAMAGED.
 */
export function checkRange(
  db: Database.Database,
  segment: SegmentSource,
  range: RowRange,
  report: (rows: number, bytes: number) => void,
): void {
  // A separate statement: selecting the types with the text would double the cost.
  const unsound = db
    .prepare<[number, number], number>(
      `SELECT time FROM log WHERE time > ? AND time <= ? AND NOT (${soundRow}) LIMIT 1`,
    )
    .pluck();
  const scan = db
    .prepare<[number, number, number]>(
      `SELECT time, crc, link, ${logChecksumText} FROM log WHERE time > ? AND time <= ? ORDER BY time LIMIT ?`,
    )
    .raw();
  let left = range.rows ?? Infinity;
  for (let after = range.after, full = true; full && left > 0;) {
    const from = after;
    let bytes = 0;
    let count = 0;
    for (const row of scan.iterate(
      after,
      range.upTo,
      Math.min(rowsOfRange, left),
    ) as IterableIterator<[number, number, string, string | null]>) {
      const [time, crc, link, text] = row;
      if (text === null || crc32(text) !== crc)
        throw damaged(segment, `the row at ${time} does not match its checksum`);
      if (time <= segment.firstMicros || time > segment.lastMicros)
        throw damaged(segment, `the time ${time} of a row is outside its range`);
      requireWritable(segment, time, link, text);
      after = time;
      bytes += text.length;
      count += 1;
      if (bytes >= limits.scanBytes) break;
    }
    full = count === rowsOfRange || bytes >= limits.scanBytes;
    const wrong = unsound.get(from, after);
    if (wrong !== undefined) throw damaged(segment, `the row at ${wrong} is not a valid document`);
    left -= count;
    report(count, bytes);
  }
}

/** Checks the limits that SQL cannot express. */
function requireWritable(segment: SegmentSource, time: number, link: string, text: string): void {
  try {
    checkLink(link);
    if (isDeep(text)) scanMembers(bodyOf(text));
  } catch (cause) {
    const { message } = HostError.from(cause);
    throw damaged(segment, `the row at ${time} is not a valid document: ${message}`);
  }
}

/**
 * Returns the body in the checksum text of a row: it follows the seventh line feed, because no
 * other column contains one.
 */
function bodyOf(text: string): string {
  let at = 0;
  for (let i = 0; i < 7; i += 1) at = text.indexOf("\n", at) + 1;
  return text.slice(at);
}

/**
 * Whether a body has enough brackets to exceed the nesting limit. Only such a body is scanned,
 * because few bodies have so many.
 */
function isDeep(text: string): boolean {
  if (text.length < 2 * limits.jsonDepth) return false;
  let count = 0;
  for (const bracket of ["{", "["])
    for (
      let at = text.indexOf(bracket);
      at >= 0 && count <= limits.jsonDepth;
      at = text.indexOf(bracket, at + 1)
    )
      count += 1;
  return count > limits.jsonDepth;
}

function checkCompactions(db: Database.Database, segment: SegmentSource): void {
  const rows = db
    .prepare(`SELECT link, time, crc, CAST(${pruneChecksumText} AS BLOB) FROM prune`)
    .raw()
    .iterate();
  let count = 0;
  for (const row of rows as IterableIterator<[string, number, number, Buffer]>) {
    const [link, time, crc, text] = row;
    if (crc32(text) !== crc)
      throw damaged(segment, `the compaction record of ${link} does not match its checksum`);
    if (time <= segment.firstMicros || time > segment.lastMicros)
      throw damaged(segment, `the time ${time} of a compaction record is outside its range`);
    count += 1;
  }
  if (count !== segment.prunes)
    throw damaged(segment, `it contains ${count} compaction records, not ${segment.prunes}`);
}
