import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import type { BuildResult, IndexIdentity, SegmentSource } from "../engine.js";
import { countActivity } from "./activity.js";
import {
  countLog,
  createIndexes,
  createIndexTables,
  databaseName,
  readPosition,
  writeCounts,
  writeIdentity,
} from "./schema.js";
import { pruneColumns } from "../../segment/tables.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
import { openSegment, requireRecords } from "../../segment/segment-file.js";
import { syncPath } from "../../io/durable-file.js";
import { createPrivateFile } from "../../io/private-file.js";

export interface BuildTask {
  directory: string;
  segments: SegmentSource[];
  targetTimeMicros?: number;
  identity: IndexIdentity;
}
export type BuildStage = "loading" | "indexing" | "checking";

/** Creates an empty index in an existing empty directory, durably. */
export function createIndex(directory: string, identity: IndexIdentity): void {
  const path = join(directory, databaseName);
  try {
    createPrivateFile(path);
    const db = new Database(path);
    try {
      createIndexTables(db);
      createIndexes(db);
      writeIdentity(db, identity);
      writeCounts(db, { documents: 0, versions: 0 });
    } finally {
      db.close();
    }
    for (const each of [path, directory]) syncPath(each);
  } catch (thrown) {
    throw fromSqlite(thrown, `Creating an index in ${directory}`);
  }
}

/**
 * Builds an index from the segments, in order: rows up to the target time, all compactions, then the key indexes, then
 * SQLite's own check. Complete and synced when it returns. Blocks: call it in a process of its own.
 */
export function buildIndex(
  task: BuildTask,
  report: (stage: BuildStage, rows: number) => void,
): BuildResult {
  const path = join(task.directory, databaseName);
  createPrivateFile(path);
  const db = new Database(path);
  let result: BuildResult;
  try {
    createIndexTables(db);
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("trusted_schema = OFF");
    db.pragma("cache_size = -32768");
    load(db, task, (rows) => report("loading", rows));
    report("indexing", 0);
    createIndexes(db);
    applyCompactions(db);
    countActivity(db);
    const counts = countLog(db);
    writeIdentity(db, task.identity);
    writeCounts(db, counts);
    report("checking", counts.versions);
    const verdict = db.pragma("quick_check(1)", { simple: true });
    if (verdict !== "ok")
      throw new HostError(
        "INTERNAL",
        `The restored index failed the storage engine's check: ${String(verdict)}`,
      );
    result = { ...counts, positionMicros: readPosition(db) };
  } finally {
    db.close();
  }
  for (const each of [path, task.directory, dirname(task.directory)]) syncPath(each);
  return result;
}

function load(db: Database.Database, task: BuildTask, report: (rows: number) => void): void {
  const target = task.targetTimeMicros ?? Number.MAX_SAFE_INTEGER;
  let loaded = 0;
  for (const segment of task.segments) {
    // Validates the schema on a connection of its own before the file is attached to this one.
    openSegment(segment).close();
    db.prepare("ATTACH ? AS segment").run(segment.path);
    try {
      loadLog(db, segment, target);
      db.prepare(
        `INSERT OR REPLACE INTO main.prune (${pruneColumns}) SELECT ${pruneColumns} FROM segment.prune`,
      ).run();
    } finally {
      db.exec("DETACH segment");
    }
    loaded += segment.records;
    report(loaded);
  }
}

/**
 * Loads the rows up to the target. The check beside it finds rows by their times, one by one; that as many are here, and
 * that it found each once, proves that it saw all of them.
 */
function loadLog(db: Database.Database, segment: SegmentSource, target: number): void {
  if (target >= segment.lastMicros) {
    // Without a condition, SQLite copies the records as they are, in two thirds of the time. It checks no types then, as
    // the check of each row does.
    const { changes } = db.prepare("INSERT INTO main.log SELECT * FROM segment.log").run();
    requireRecords(segment, changes);
    return;
  }
  requireRecords(segment, db.prepare("SELECT count(*) FROM segment.log").pluck().get() as number);
  db.prepare("INSERT INTO main.log SELECT * FROM segment.log WHERE time <= ? ORDER BY time").run(
    target,
  );
}

/** Removes the versions up to each compacted one, except those written after the compaction. */
function applyCompactions(db: Database.Database): void {
  const prunes = db.prepare("SELECT link, version, time FROM prune").raw().all() as [
    string,
    number,
    number,
  ][];
  const remove = db.prepare("DELETE FROM log WHERE link = ? AND version <= ? AND time < ?");
  for (const [link, version, time] of prunes) remove.run(link, version, time);
}
