import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { statementBytes } from "../copy/export-parts.js";
import type { SegmentContent } from "../engine.js";
import { createSegmentTables, logColumns, pruneColumns } from "../../segment/tables.js";
import { digestFile } from "../../segment/segment-file.js";
import { syncPath } from "../../io/durable-file.js";
import { createPrivateFile } from "../../io/private-file.js";

/** A range of the log to copy into a segment. */
export interface ExportTask {
  kind: "base" | "delta";
  /** Path of the live database, which is only read; its rows up to `lastMicros` do not change meanwhile. */
  indexPath: string;
  /** Path of the new segment. */
  path: string;
  firstMicros: number;
  lastMicros: number;
}

/** Bytes between two syncs: a single sync at the end would delay the syncs of the writer. */
const syncEveryBytes = 4 * 1024 * 1024;

/**
 * Copies the log rows in (firstMicros, lastMicros] into a new segment, in short transactions. Their size depends on the
 * rows alone, so that the same rows give the same bytes. `report` receives the number of rows, and throws to cancel.
 */
export function exportSegment(task: ExportTask, report: (rows: number) => void): SegmentContent {
  createPrivateFile(task.path);
  const db = new Database(task.path);
  let records = 0;
  let prunes = 0;
  try {
    createSegmentTables(db);
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("trusted_schema = OFF");
    db.pragma("cache_size = -4096");
    db.prepare("ATTACH ? AS live").run(task.indexPath);
    db.pragma("live.cache_size = -4096");
    const extent = db.prepare<[number, number, number], { upTo: number | null; bytes: number }>(
      `SELECT max(time) AS upTo, sum(octet_length(body)) AS bytes
         FROM (SELECT time, body FROM live.log WHERE time > ? AND time <= ? ORDER BY time LIMIT ?)`,
    );
    const copy = db.prepare(
      `INSERT INTO main.log (${logColumns}) SELECT ${logColumns} FROM live.log WHERE time > ? AND time <= ? ORDER BY time`,
    );
    let unsynced = 0;
    for (let after = task.firstMicros; ;) {
      let rows: number = limits.exportRows;
      let next = extent.get(after, task.lastMicros, rows);
      while (next && next.bytes > statementBytes && rows > 1) {
        rows = Math.max(1, Math.floor(rows / 4));
        next = extent.get(after, task.lastMicros, rows);
      }
      if (!next || next.upTo === null) break;
      records += copy.run(after, next.upTo).changes;
      after = next.upTo;
      unsynced += next.bytes;
      if (unsynced >= syncEveryBytes) {
        syncPath(task.path);
        unsynced = 0;
      }
      report(records);
    }
    prunes = db
      .prepare(
        `INSERT INTO main.prune (${pruneColumns}) SELECT ${pruneColumns} FROM live.prune WHERE time > ? AND time <= ? ORDER BY link`,
      )
      .run(task.firstMicros, task.lastMicros).changes;
  } finally {
    db.close();
  }
  const { size } = statSync(task.path);
  if (size === 0)
    throw new HostError("INTERNAL", `The segment ${task.path} is empty after the export.`);
  return {
    kind: task.kind,
    firstMicros: task.firstMicros,
    lastMicros: task.lastMicros,
    records,
    prunes,
    sizeBytes: size,
    sha256: digestFile(task.path, () => report(records)),
  };
}
