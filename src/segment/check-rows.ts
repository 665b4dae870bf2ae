import type Database from "better-sqlite3";
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { checkLink } from "../document/link.js";
import { scanMembers } from "../document/members.js";
import type { SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { combinedCrc } from "./combined-crc.js";
import { logChecksumText, logRowColumns, pruneChecksumText } from "./row.js";
import { damaged, readSegment } from "./segment-file.js";

/**
 * SQL for the limits of a row. Types are checked first, because a crafted file may contain other
 * types than its columns declare.
 */
const soundRow = `typeof(link) = 'text' AND typeof(version) = 'integer' AND typeof(kind) = 'text'
  AND typeof(owner) = 'text' AND typeof(expires) = 'integer' AND typeof(crc) = 'integer' AND typeof(body) = 'text'
  AND octet_length(link) BETWEEN 1 AND ${limits.selfLinkBytes} AND version BETWEEN 0 AND ${limits.maxTimeMicros} AND expires BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER} AND crc BETWEEN 0 AND 4294967295
  AND octet_length(kind) <= ${limits.kindBytes} AND octet_length(owner) <= ${limits.kindBytes} AND instr(kind || owner, char(10)) = 0 AND time <= ${limits.maxTimeMicros}
  AND action IN ('POST', 'PATCH', 'PUT', 'DELETE') AND octet_length(body) <= ${limits.documentBytes} AND json_type(body) = 'object'`;

/** The same for a row whose body may be no JSON, of which soundRow throws; it reads the body twice. */
const soundRowOfAnyBody = soundRow.replace(
  "json_type(body) = 'object'",
  "CASE WHEN json_valid(body) THEN json_type(body) = 'object' ELSE 0 END",
);

/** The same text as logChecksumText of a sound row, whose columns are not null: one function takes less time than 14 operators. */
const textOfSoundRow = `concat_ws(char(10), ${logRowColumns})`;

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
  const { records } = segment;
  readSegment(segment, (db) => {
    // Counting the rows first would read all pages once more.
    const firstRows = Math.floor(records / 2) + 1;
    const middle = half === undefined ? undefined : timeOfRow(db, firstRows);
    const after = half === "second" && middle !== undefined ? middle : Number.MIN_SAFE_INTEGER;
    const upTo = half === "first" && middle !== undefined ? middle : Number.MAX_SAFE_INTEGER;
    const before = half === "second" && middle !== undefined ? firstRows : 0;
    const expected = half === "first" && middle !== undefined ? firstRows : records;
    let rows = before;
    checkRange(db, segment, { after, upTo }, (count) => {
      rows += count;
      report(count);
    });
    if (rows !== expected) throw damaged(segment, `it contains ${rows} rows, not ${records}`);
    if (half === "second") return;
    checkTimes(db, segment);
    checkCompactions(db, segment);
  });
}

/** Numbers of SQLite have more bits than those that bound a range. */
function checkTimes(db: Database.Database, segment: SegmentSource): void {
  const extent = db
    .prepare<[], [number | null, number | null]>(
      "SELECT (SELECT min(time) FROM log), (SELECT max(time) FROM log)",
    )
    .raw()
    .get();
  const [first = null, last = null] = extent ?? [];
  if (first !== null && first <= segment.firstMicros) throw outOfRange(segment, first);
  if (last !== null && last > segment.lastMicros) throw outOfRange(segment, last);
}

const outOfRange = (segment: SegmentSource, time: number) =>
  damaged(segment, `the time ${time} of a row is outside its range`);

/** Returns the time of the row with this number, which begins at 1. */
function timeOfRow(db: Database.Database, number: number): number | undefined {
  return db
    .prepare<[number], number>("SELECT time FROM log ORDER BY time LIMIT 1 OFFSET ?")
    .pluck()
    .get(number - 1);
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
  { after, upTo, rows = Infinity }: RowRange,
  report: (rows: number, bytes: number) => void,
): void {
  const readNext = chunkReader(db, segment);
  let from = after;
  for (let left = rows; left > 0;) {
    const chunk = readNext(from, upTo, left);
    if (chunk === undefined) return;
    if (chunk.first <= from) throw damaged(segment, `the row at ${chunk.first} is not in order`);
    if (!isSound(chunk, segment)) failFirst(db, segment, from, chunk.last);
    from = chunk.last;
    left -= chunk.rows;
    report(chunk.rows, chunk.text.length);
  }
}

/** Rows as they are checked together. */
interface Chunk {
  rows: number;
  /** The times of the first and the last. */
  first: number;
  last: number;
  /** Of each row, separated by commas: its checksum, and the bytes that it covers. */
  crcs: string;
  lengths: string;
  /** Separated by line feeds. */
  links: string;
  /** The texts of all checksums, one after another. */
  text: Buffer;
}

/**
 * Reads rows in chunks of at most limits.scanRows, and of about limits.scanBytes unless one row alone has more. A
 * thousand rows in one value take a third of the time of a thousand values. The limits come first, because they bound
 * the text. BACKUP_DAMAGED.
 */
function chunkReader(
  db: Database.Database,
  segment: SegmentSource,
): (after: number, upTo: number, most: number) => Chunk | undefined {
  const inRange = "FROM log WHERE time > ? AND time <= ? ORDER BY time LIMIT ?";
  const measure = db
    .prepare<
      [number, number, number],
      [rows: number, last: number, sound: number, bytes: number | null]
    >(
      `SELECT count(*), max(time), sum(sound), sum(bytes) FROM (SELECT time, ${soundRow} AS sound, octet_length(body) AS bytes ${inRange})`,
    )
    .raw();
  const read = db.prepare<[number, number, number], Chunk>(
    `SELECT count(*) AS rows, min(time) AS first, max(time) AS last, group_concat(crc) AS crcs,
       group_concat(octet_length(text)) AS lengths, group_concat(link, x'0a') AS links, CAST(group_concat(text, '') AS BLOB) AS text
     FROM (SELECT time, link, crc, ${textOfSoundRow} AS text ${inRange})`,
  );
  const measured = (after: number, upTo: number, most: number) => {
    try {
      return measure.get(after, upTo, most) ?? [0, 0, 0, 0];
    } catch {
      return failFirst(db, segment, after, upTo);
    }
  };
  let count: number = limits.scanRows;
  return (after, upTo, most) => {
    for (;;) {
      const wanted = Math.min(count, most);
      const [rows, last, sound, bytes] = measured(after, upTo, wanted);
      if (rows === 0) return undefined;
      if (sound !== rows) failFirst(db, segment, after, last);
      const fitting = Math.floor((rows * limits.scanBytes) / Math.max(1, bytes ?? 0));
      count = Math.min(limits.scanRows, Math.max(1, fitting));
      if (rows <= 1 || rows <= 2 * fitting) return read.get(after, last, rows);
    }
  };
}

/** Whether all rows match their checksums, and are within the limits that SQL cannot express. */
function isSound(chunk: Chunk, segment: SegmentSource): boolean {
  const { rows, first, last, text } = chunk;
  if (first <= segment.firstMicros || last > segment.lastMicros) return false;
  const lengths = chunk.lengths.split(",").map(Number);
  if (combinedCrc(chunk.crcs.split(",").map(Number), lengths) !== crc32(text)) return false;
  const links = chunk.links.split("\n");
  return links.length === rows && isUtf8(text) && areWritable(links, text, lengths);
}

/** Checks the limits that SQL cannot express. */
function areWritable(links: readonly string[], text: Buffer, lengths: readonly number[]): boolean {
  try {
    for (const link of links) checkLink(link);
    for (const row of deepRows(text, lengths)) scanMembers(bodyOf(row));
    return true;
  } catch {
    return false;
  }
}

/** Returns the texts of the rows with enough brackets to exceed the nesting limit, which few have. */
function deepRows(text: Buffer, lengths: readonly number[]): string[] {
  const found: string[] = [];
  for (const bracket of ["{", "["].map((each) => each.charCodeAt(0))) {
    let row = 0;
    let begin = 0;
    let count = 0;
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      for (let end = begin + (lengths[row] ?? 0); at >= end; end += lengths[row] ?? 0) {
        begin = end;
        row += 1;
        count = 0;
      }
      count += 1;
      if (count === limits.jsonDepth + 1)
        found.push(text.toString("utf8", begin, begin + (lengths[row] ?? 0)));
    }
  }
  return found;
}

/** Throws BACKUP_DAMAGED for the first row that is wrong of those that failed together. */
function failFirst(
  db: Database.Database,
  segment: SegmentSource,
  after: number,
  upTo: number,
): never {
  const unsound = db
    .prepare<[number, number], number>(
      `SELECT time FROM log WHERE time > ? AND time <= ? AND NOT (${soundRowOfAnyBody}) LIMIT 1`,
    )
    .pluck();
  const wrong = unsound.get(after, upTo);
  if (wrong !== undefined) throw damaged(segment, `the row at ${wrong} is not a valid document`);
  const scan = db
    .prepare<[number, number]>(
      `SELECT time, crc, link, ${logChecksumText} FROM log WHERE time > ? AND time <= ? ORDER BY time`,
    )
    .raw();
  for (const [time, crc, link, text] of scan.iterate(after, upTo) as IterableIterator<
    [number, number, string, string | null]
  >) {
    if (text === null || crc32(text) !== crc)
      throw damaged(segment, `the row at ${time} does not match its checksum`);
    if (time <= segment.firstMicros || time > segment.lastMicros) throw outOfRange(segment, time);
    requireWritable(segment, time, link, text);
  }
  throw damaged(segment, `one of the rows after ${after} is not a valid document`);
}

function requireWritable(segment: SegmentSource, time: number, link: string, text: string): void {
  try {
    checkLink(link);
    scanMembers(bodyOf(text));
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
