import type Database from "better-sqlite3";
import type { ChainContent, SegmentSource } from "../engine/engine.js";
import { limits } from "../limits.js";
import { damaged, readSegment } from "./segment-file.js";

/** A compaction of a link: it removed the versions up to this one whose time is before this. */
export interface Compaction {
  version: number;
  time: number;
}

/** Whether a compaction removed a version. */
export const isCompacted = (
  compaction: Compaction | undefined,
  version: number,
  time: number,
): boolean => compaction !== undefined && version <= compaction.version && time < compaction.time;

type CompactionRow = [link: string, version: number, time: number, since: number, until: number];

const compactionRows = (db: Database.Database): IterableIterator<CompactionRow> =>
  db
    .prepare("SELECT link, version, time, since, until FROM prune")
    .raw()
    .iterate() as IterableIterator<CompactionRow>;

type LogRow = [time: number, link: string, version: number, deleted: number, kind: string];

/**
 * The rows of a segment in the order of time. Many at once take two thirds of the time of one after another. A link is
 * cut off beyond its limit. The kind is empty unless `kinds` is true, because reading it takes time.
 */
function* logRows(
  db: Database.Database,
  segment: SegmentSource,
  kinds: boolean,
): Generator<LogRow> {
  const read = db
    .prepare<[number], LogRow>(
      `SELECT time, substr(link, 1, ${limits.selfLinkBytes + 1}), version, action = 'DELETE', ${kinds ? `substr(kind, 1, ${limits.kindBytes + 1})` : "''"}
       FROM log WHERE time > ? ORDER BY time LIMIT ${limits.scanRows}`,
    )
    .raw();
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const rows = read.all(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    // Or the same rows would be read without an end.
    if (last[0] <= after || last[0] > Number.MAX_SAFE_INTEGER)
      throw damaged(segment, `the row at ${last[0]} is not in order`);
    after = last[0];
  }
}

/** What reads the rows of a chain. */
interface RowReader {
  compaction(link: string, version: number, time: number): void;
  /** Returns whether to read on. The kind is empty unless it was asked for. */
  version(link: string, version: number, time: number, isDeleted: boolean, kind: string): boolean;
}

/** The times of the compactions of a chain. */
type CompactionTimes = Pick<ChainContent, "prunedUntilMicros" | "prunedSinceMicros">;

/**
 * Reads all compactions of a chain, then its rows in the order of their times. `onRows` receives the number of rows read
 * since the last call, and throws to cancel. BACKUP_DAMAGED if there are more than the segments state, which bounds what
 * they take in memory or on the disk.
 */
export function readRows(
  segments: readonly SegmentSource[],
  onRows: (rows: number) => void,
  reader: RowReader,
  kinds = false,
): CompactionTimes {
  const times = { prunedUntilMicros: 0, prunedSinceMicros: 0 };
  for (const segment of segments)
    readSegment(segment, (db) => {
      let rows = 0;
      for (const [link, version, time, since, until] of compactionRows(db)) {
        rows += 1;
        if (rows % limits.scanRows === 0) onRows(0);
        if (rows > segment.prunes)
          throw damaged(segment, `it contains more than ${segment.prunes} compaction records`);
        reader.compaction(link, version, time);
        times.prunedUntilMicros = Math.max(times.prunedUntilMicros, until);
        times.prunedSinceMicros = earlier(times.prunedSinceMicros, since);
      }
    });
  for (const segment of segments) {
    const isRead = readSegment(segment, (db) => {
      let rows = 0;
      for (const [time, link, version, deleted, kind] of logRows(db, segment, kinds)) {
        rows += 1;
        if (rows % limits.scanRows === 0) onRows(limits.scanRows);
        if (rows > segment.records)
          throw damaged(segment, `it contains more than ${segment.records} rows`);
        if (!reader.version(link, version, time, deleted === 1, kind)) return false;
      }
      return true;
    });
    if (!isRead) break;
  }
  return times;
}

/** Returns the earlier time; 0 means no time. */
export const earlier = (a: number, b: number): number =>
  a === 0 ? b : b === 0 ? a : Math.min(a, b);
