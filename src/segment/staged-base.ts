import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { HostError } from "../errors.js";
import type { RestorableWindow, RowId, SegmentContent } from "../engine/engine.js";
import { logChecksum, logRowColumns, pruneChecksum, type LogRow } from "./row.js";
import { createSegmentTables, pruneColumns } from "./tables.js";
import { digestFile } from "./segment-file.js";
import { syncPath } from "../io/durable-file.js";
import { createPrivateFile } from "../io/private-file.js";

/** A base segment written from staged versions. */
export interface StagedBase {
  content: SegmentContent;
  documents: number;
  versions: number;
  window: RestorableWindow;
  lastRecord?: RowId;
  /** Number of versions that were moved to the next free time. */
  movedTimes: number;
}

/** The first staged version of a document whose earlier versions are missing. */
interface FirstKept {
  link: string;
  version: number;
  time: number;
}

/**
 * Writes staged versions to a new base segment, ordered by time. Moves equal times apart, because the
 * time is the key of the log. For a document whose first versions are missing, adds the record that
 * compaction would write, so that its history does not appear complete. Throws BACKUP_DAMAGED if the
 * versions of a document are not in the order of their times.
 */
export function writeStagedBase(staging: Database.Database, path: string): StagedBase {
  createPrivateFile(path);
  const db = new Database(path);
  let last = 0;
  let movedTimes = 0;
  let versions = 0;
  let first = 0;
  let lastRecord: RowId | undefined;
  let lostUntil: FirstKept | undefined;
  let compactions = 0;
  checkOrder(staging);
  try {
    createSegmentTables(db);
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    const insert = db.prepare(
      `INSERT INTO log (${logRowColumns}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    db.exec("BEGIN");
    for (const row of staging
      .prepare(`SELECT ${logRowColumns} FROM staged ORDER BY time, link, version`)
      .raw()
      .iterate() as IterableIterator<LogRow>) {
      const [time, link, version, ...rest] = row;
      const unique = Math.max(time, last + 1);
      if (unique !== time) movedTimes += 1;
      last = unique;
      if (first === 0) first = last;
      const written: LogRow = [last, link, version, ...rest];
      const crc = logChecksum(written);
      insert.run(...written, crc);
      lastRecord = { timeMicros: last, link, version, crc };
      versions += 1;
    }
    const insertCompaction = db.prepare(
      `INSERT INTO prune (${pruneColumns}) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    const firstKept = staging.prepare<[], FirstKept>(
      "SELECT link, min(version) AS version, time FROM staged GROUP BY link HAVING min(version) > 0 ORDER BY link",
    );
    for (const kept of firstKept.iterate()) {
      last += 1;
      compactions += 1;
      const row = [kept.link, last, kept.version - 1, 1, kept.time] as const;
      insertCompaction.run(...row, pruneChecksum(...row));
      if (!lostUntil || kept.time > lostUntil.time) lostUntil = kept;
    }
    db.exec("COMMIT");
  } finally {
    db.close();
  }
  syncPath(path);
  const documents =
    staging
      .prepare<[], number>(
        "SELECT count(*) FROM staged s WHERE action <> 'DELETE' AND NOT EXISTS (SELECT 1 FROM staged h WHERE h.link = s.link AND h.version > s.version)",
      )
      .pluck()
      .get() ?? 0;
  const earliestMicros = Math.max(first, lostUntil?.time ?? 0);
  return {
    content: {
      kind: "base",
      firstMicros: 0,
      lastMicros: last,
      records: versions,
      prunes: compactions,
      sizeBytes: statSync(path).size,
      sha256: digestFile(path, () => {}),
    },
    documents,
    versions,
    movedTimes,
    window: {
      earliestMicros,
      latestMicros: last,
      historyStartMicros: lostUntil ? 1 : first,
      ...(lostUntil && { boundingLink: lostUntil.link }),
    },
    ...(lastRecord && { lastRecord }),
  };
}

/** The log is ordered by time, so the versions of each document must be as well. */
function checkOrder(staging: Database.Database): void {
  const wrong = staging
    .prepare<[], { link: string; version: number }>(
      `SELECT link, version FROM (SELECT link, version, time, lag(time) OVER (PARTITION BY link ORDER BY version) AS before FROM staged) WHERE before > time LIMIT 1`,
    )
    .get();
  if (wrong === undefined) return;
  throw new HostError(
    "BACKUP_DAMAGED",
    `Version ${wrong.version} of ${wrong.link} has an earlier time than the version before it. Correct the times in the source.`,
  );
}
