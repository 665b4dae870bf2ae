import type Database from "better-sqlite3";
import { limits } from "../limits.js";

const logTable = `CREATE TABLE log (
  time INTEGER PRIMARY KEY,
  link TEXT NOT NULL,
  version INTEGER NOT NULL,
  action TEXT NOT NULL,
  kind TEXT NOT NULL,
  owner TEXT NOT NULL,
  expires INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT`;

const pruneTable = `CREATE TABLE prune (
  link TEXT PRIMARY KEY,
  time INTEGER NOT NULL,
  version INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;

/**
 * The SQL of the tables of a segment, by name. A reader rejects a segment whose schema differs in
 * any character.
 */
export const segmentSchema: Readonly<Record<string, string>> = { log: logTable, prune: pruneTable };

/** The columns of `log`, in order. */
export const logColumns = "time, link, version, action, kind, owner, expires, crc, body";
/**
 * The columns of `prune`, in order. A row records that the versions of a link up to `version` were
 * compacted.
 */
export const pruneColumns = "link, time, version, since, until, crc";

/** Creates the tables of a segment in an empty database. */
export function createSegmentTables(db: Database.Database): void {
  db.pragma(`page_size = ${limits.segmentPageBytes}`);
  for (const statement of Object.values(segmentSchema)) db.exec(statement);
}
