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

/** The digest of a file that nothing writes any more, as lower-case hex. Blocks: for threads and processes of their own. */
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

/** Size and digest: everything else is looked at only after they agreed. */
export function checkDigest(segment: SegmentSource, cancelled: () => void): void {
  const { size } = regularFile(segment);
  if (size !== segment.sizeBytes)
    throw damaged(segment, `it has ${size} bytes, not ${segment.sizeBytes}`);
  const digest = digestFile(segment.path, cancelled);
  if (digest !== segment.sha256)
    throw damaged(segment, `its sha256 is ${digest}, not ${segment.sha256}`);
}

/** A pipe of its name would never be opened. */
function regularFile(segment: SegmentSource): Stats {
  const status = statSync(segment.path);
  if (!status.isFile()) throw damaged(segment, "it is not a regular file");
  return status;
}

/** Opens a segment to read: without functions of ours, and only if its schema is ours text for text. */
export function openSegment(segment: SegmentSource): Database.Database {
  regularFile(segment);
  // SQLite replays such a file over the database that it lies beside.
  const beside = ["-wal", "-shm", "-journal"].find((suffix) => existsSync(segment.path + suffix));
  if (beside !== undefined)
    throw damaged(segment, `a file ${beside} lies beside it, which no backup has`);
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
        throw damaged(segment, `it has a ${type} ${name} that no segment has`);
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

/** What no row of ours breaks, by the limits of a write; types first, since a crafted file may hold others than its columns declare. */
const soundRow = `typeof(link) = 'text' AND typeof(version) = 'integer' AND typeof(action) = 'text' AND typeof(kind) = 'text'
  AND typeof(owner) = 'text' AND typeof(expires) = 'integer' AND typeof(crc) = 'integer' AND typeof(body) = 'text'
  AND octet_length(link) BETWEEN 1 AND ${limits.selfLinkBytes} AND version BETWEEN 0 AND ${limits.maxTimeMicros} AND expires BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}
  AND octet_length(kind) <= ${limits.kindBytes} AND octet_length(owner) <= ${limits.kindBytes} AND instr(kind || owner, x'0a') = 0 AND time <= ${limits.maxTimeMicros}
  AND action IN ('POST', 'PATCH', 'PUT', 'DELETE') AND octet_length(body) <= ${limits.documentBytes} AND json_type(body) = 'object'`;

/** Which half of a segment to look at, so that two threads can share one; each looks at counts and prunes of its own. */
export type Half = "first" | "second";

/** Segments of fewer rows are not worth a second thread. */
export const rowsWorthSharing = 20_000;

/**
 * Reads every row: counts, range, types, limits and checksum must agree. `report` hears how many rows were read and
 * throws to cancel.
 */
export function checkRows(
  segment: SegmentSource,
  report: (rows: number) => void,
  half?: Half,
): void {
  readSegment(segment, (db) => {
    const total = db.prepare("SELECT count(*) FROM log").pluck().get() as number;
    if (total !== segment.records)
      throw damaged(segment, `it has ${total} rows, not ${segment.records}`);
    const middle = half === undefined ? undefined : middleOf(db, total);
    const after = half === "second" && middle !== undefined ? middle : Number.MIN_SAFE_INTEGER;
    const upTo = half === "first" && middle !== undefined ? middle : Number.MAX_SAFE_INTEGER;
    checkRange(db, segment, { after, upTo }, report);
    if (half !== "second") checkPrunes(db, segment);
  });
}

/** Opens a segment for the length of the work: BACKUP_DAMAGED where SQLite cannot read it. */
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

export interface RowRange {
  after: number;
  upTo: number;
  /** No more rows than that. */
  rows?: number;
}

/** Checks the rows of a range; `report` is called for each thousand. */
export function checkRange(
  db: Database.Database,
  segment: SegmentSource,
  range: RowRange,
  report: (rows: number, bytes: number) => void,
): void {
  // Types are looked at by a statement of their own: beside the text they would double its cost.
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
        throw damaged(segment, `the row at ${time} does not agree with its checksum`);
      if (time <= segment.firstMicros || time > segment.lastMicros)
        throw damaged(segment, `it holds ${time}, which is not in its range`);
      requireWritable(segment, time, link, text);
      after = time;
      bytes += text.length;
      count += 1;
      if (bytes >= limits.scanBytes) break;
    }
    full = count === rowsOfRange || bytes >= limits.scanBytes;
    const wrong = unsound.get(from, after);
    if (wrong !== undefined)
      throw damaged(segment, `the row at ${wrong} holds what no document can`);
    left -= count;
    report(count, bytes);
  }
}

/** The limits of a write that SQL cannot express. */
function requireWritable(segment: SegmentSource, time: number, link: string, text: string): void {
  try {
    checkLink(link);
    if (isDeep(text)) scanMembers(bodyOf(text));
  } catch (cause) {
    const { message } = HostError.from(cause);
    throw damaged(segment, `the row at ${time} holds what no document can: ${message}`);
  }
}

/** The body of a row's checksum text: behind the seventh line feed, as link, kind and owner hold none. */
function bodyOf(text: string): string {
  let at = 0;
  for (let i = 0; i < 7; i += 1) at = text.indexOf("\n", at) + 1;
  return text.slice(at);
}

/** Whether there are so many brackets that a body may be nested too deep: few have, and only those are looked at further. */
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

function checkPrunes(db: Database.Database, segment: SegmentSource): void {
  const rows = db
    .prepare(`SELECT link, time, crc, CAST(${pruneChecksumText} AS BLOB) FROM prune`)
    .raw()
    .iterate();
  let prunes = 0;
  for (const row of rows as IterableIterator<[string, number, number, Buffer]>) {
    const [link, time, crc, text] = row;
    if (crc32(text) !== crc)
      throw damaged(segment, `the prune of ${link} does not agree with its checksum`);
    if (time <= segment.firstMicros || time > segment.lastMicros)
      throw damaged(segment, `it holds a prune at ${time}, which is not in its range`);
    prunes += 1;
  }
  if (prunes !== segment.prunes)
    throw damaged(segment, `it has ${prunes} prunes, not ${segment.prunes}`);
}
