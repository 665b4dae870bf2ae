import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import type { BuildResult, IndexIdentity, StorageEngine } from "../engine.js";
import { createIndex } from "./build.js";
import { runBuild } from "./run-build.js";
import { databaseName, openIndex, readMeta, readPosition, writeIdentity } from "./schema.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
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
export const sqliteEngine: StorageEngine = {
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
    return (await runBuild({ kind: "build", task }, dirname(task.directory), {
      signal,
      onProgress: ({ stage, rows }) => onProgress?.(stage, rows),
    })) as BuildResult;
  },
};
