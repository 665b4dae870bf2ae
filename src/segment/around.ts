import type Database from "better-sqlite3";
import type { LogEntry, LogAround } from "../engine/engine.js";

const entryColumns = "time AS timeMicros, link, version, action, kind";

/**
 * Returns up to `count` versions before and after a point in time, from the log of an index or of a
 * segment.
 */
export function logAround(db: Database.Database, timeMicros: number, count: number): LogAround {
  return {
    before: db
      .prepare(`SELECT ${entryColumns} FROM log WHERE time <= ? ORDER BY time DESC LIMIT ?`)
      .all(timeMicros, count) as LogEntry[],
    after: db
      .prepare(`SELECT ${entryColumns} FROM log WHERE time > ? ORDER BY time LIMIT ?`)
      .all(timeMicros, count) as LogEntry[],
    afterCount:
      db
        .prepare<[number], number>("SELECT count(*) FROM log WHERE time > ?")
        .pluck()
        .get(timeMicros) ?? 0,
  };
}

/** Combines the results of logAround for several segments of one log. */
export function combineAround(parts: readonly LogAround[], count: number): LogAround {
  return {
    before: parts
      .flatMap(({ before }) => before)
      .sort((a, b) => b.timeMicros - a.timeMicros)
      .slice(0, count),
    after: parts
      .flatMap(({ after }) => after)
      .sort((a, b) => a.timeMicros - b.timeMicros)
      .slice(0, count),
    afterCount: parts.reduce((sum, { afterCount }) => sum + afterCount, 0),
  };
}
