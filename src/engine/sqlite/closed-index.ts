import { join } from "node:path";
import type Database from "better-sqlite3";
import { fromSqlite } from "../../segment/sqlite-error.js";
import type { IndexIdentity } from "../engine.js";
import { databaseName, openIndex, readMeta, readPosition, writeIdentity } from "./schema.js";

/** Reads the identity and the position of an index that is not open. INDEX_DAMAGED, FORMAT_TOO_NEW. */
export function identifyIndex(directory: string): IndexIdentity & { positionMicros: number } {
  return withClosedIndex(directory, (db) => {
    const { indexId, lineage, parents } = readMeta(db);
    return { indexId, lineage, parents, positionMicros: readPosition(db) };
  });
}

/** Gives an index that is not open a new identity, durably. */
export function relabelIndex(directory: string, identity: IndexIdentity): void {
  withClosedIndex(directory, (db) => db.transaction(() => writeIdentity(db, identity))());
}

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
