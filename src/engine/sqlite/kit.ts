import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import type { EngineKit, IndexIdentity } from "../engine.js";
import { createIndex } from "./build.js";
import { runInChild } from "./child.js";
import { databaseName, openIndex, readMeta, readPosition, writeIdentity } from "./schema.js";
import { fromSqlite } from "./sqlite-error.js";
import { openSqliteEngine } from "./sqlite-engine.js";

function withClosedIndex<T>(directory: string, work: (db: Database.Database) => T): T {
  const path = join(directory, databaseName);
  try {
    const db = openIndex(path, "write", true, 1024);
    try {
      return work(db);
    } finally {
      db.close();
    }
  } catch (thrown) {
    throw fromSqlite(thrown, `Opening the index ${path}`);
  }
}

/** The engine over SQLite. */
export const sqliteKit: EngineKit = {
  async create(directory, identity) {
    try {
      createIndex(directory, identity);
    } catch (thrown) {
      throw fromSqlite(thrown, `Making an index in ${directory}`);
    }
  },
  open: openSqliteEngine,
  async rename(directory, identity) {
    withClosedIndex(directory, (db) => {
      db.transaction((next: IndexIdentity) => writeIdentity(db, next))(identity);
    });
  },
  async identify(directory) {
    return withClosedIndex(directory, (db) => {
      const { indexId, lineage, parents } = readMeta(db);
      return { indexId, lineage, parents, positionMicros: readPosition(db) };
    });
  },
  async build({ signal, onProgress, ...task }) {
    const result = await runInChild(
      { kind: "build", task },
      {
        temporaryDirectory: dirname(task.directory),
        signal,
        onProgress: (stage, rows) => onProgress?.(stage as "loading" | "indexing" | "checking", rows),
      },
    );
    if (!result) throw new HostError("INTERNAL", "The process that builds the index gave no result.");
    return result;
  },
  async checkSegments(segments, signal, onProgress) {
    const first = segments[0];
    if (!first) return;
    await runInChild(
      { kind: "check", segments },
      { temporaryDirectory: dirname(first.path), signal, onProgress: (_stage, rows) => onProgress?.(rows) },
    );
  },
};
