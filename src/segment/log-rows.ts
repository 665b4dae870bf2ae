import type Database from "better-sqlite3";
import { limits } from "../limits.js";

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

/** The compactions of a segment. */
export const compactionRows = (db: Database.Database): IterableIterator<CompactionRow> =>
  db
    .prepare("SELECT link, version, time, since, until FROM prune")
    .raw()
    .iterate() as IterableIterator<CompactionRow>;

type LogRow = [time: number, link: string, version: number, deleted: number, kind: string];

/**
 * The rows of a segment in the order of time. Many at once take two thirds of the time of one after another. A link is
 * cut off beyond its limit. The kind is empty unless `kinds` is true, because reading it takes time.
 */
export function* logRows(db: Database.Database, kinds = false): Generator<LogRow> {
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
    after = last[0];
  }
}
