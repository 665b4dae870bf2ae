import Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { formatVersion } from "../../format/version.js";
import type { IndexIdentity, LineageParent } from "../engine.js";


/** The name of the database in the directory of a generation. */
export const databaseName = "index.sqlite";

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

/** What a segment holds, and nothing else: compared text for text before a segment is read. */
export const segmentSchema: Readonly<Record<string, string>> = { log: logTable, prune: pruneTable };

export const logColumns = "time, link, version, action, kind, owner, expires, crc, body";
export const pruneColumns = "link, time, version, since, until, crc";

/** Made after the rows when an index is built: faster than keeping them current on the way. */
const indexStatements = [
  "CREATE UNIQUE INDEX log_version ON log (link, version)",
  "CREATE INDEX log_deleted ON log (link, version) WHERE action = 'DELETE'",
  "CREATE INDEX log_expires ON log (expires) WHERE expires > 0",
];

export function createSegmentTables(db: Database.Database): void {
  db.pragma(`page_size = ${limits.segmentPageBytes}`);
  for (const statement of Object.values(segmentSchema)) db.exec(statement);
}

export function createIndexTables(db: Database.Database): void {
  db.pragma("page_size = 4096");
  for (const statement of Object.values(segmentSchema)) db.exec(statement);
  db.exec("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID");
}

export function createIndexes(db: Database.Database): void {
  for (const statement of indexStatements) db.exec(statement);
}

export interface Counts {
  documents: number;
  versions: number;
}

/** The facts of an index that are not in its log; each is a row of `meta`. */
export interface Meta extends IndexIdentity {
  formatVersion: number;
  counts: Counts;
  /** Update times go on above it: the end of the last snapshot's window. */
  floorMicros: number;
}

export function writeIdentity(db: Database.Database, identity: IndexIdentity): void {
  const put = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
  put.run("format_version", String(formatVersion));
  put.run("index_id", identity.indexId);
  put.run("lineage", identity.lineage);
  put.run("parents", JSON.stringify(identity.parents));
}

export function writeCounts(db: Database.Database, counts: Counts): void {
  db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('counts', ?)").run(JSON.stringify(counts));
}

/** Reads `meta`; refuses an index of a newer format before anything is touched. */
export function readMeta(db: Database.Database): Meta {
  const damaged = () => new HostError("INDEX_DAMAGED", `The index ${db.name} lacks its identity: it is damaged or none of ours. Restore a backup into a new data directory.`);
  const rows = new Map<string, string>();
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) throw damaged();
  for (const [key, value] of db.prepare("SELECT key, value FROM meta").raw().all() as [string, string][]) rows.set(key, value);
  const found = Number(rows.get("format_version"));
  if (found > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `The index ${db.name} has format ${found}; this host knows formats up to ${formatVersion}. Run the newer version that made it.`,
    );
  }
  const indexId = rows.get("index_id");
  const lineage = rows.get("lineage");
  const counts = rows.get("counts");
  if (found !== formatVersion || !indexId || !lineage || !counts) {
    throw damaged();
  }
  return {
    formatVersion: found,
    indexId,
    lineage,
    parents: JSON.parse(rows.get("parents") ?? "[]") as LineageParent[],
    counts: JSON.parse(counts) as Counts,
    floorMicros: Number(rows.get("floor") ?? "0"),
  };
}

/** The last position of a log: its last version or its last prune. */
export function readPosition(db: Database.Database): number {
  return db
    .prepare("SELECT max(coalesce((SELECT max(time) FROM log), 0), coalesce((SELECT max(time) FROM prune), 0))")
    .pluck()
    .get() as number;
}

/** A connection to a live index with the settings that every connection needs; NORMAL would be the build's default. */
export function openIndex(path: string, mode: "write" | "read", durable: boolean, cacheKiB: number): Database.Database {
  const db = new Database(path, { readonly: mode === "read", fileMustExist: true, timeout: 5000 });
  db.pragma("trusted_schema = OFF");
  if (mode === "write") {
    db.pragma("journal_mode = WAL");
    db.pragma("journal_size_limit = 33554432");
    db.pragma("wal_autocheckpoint = 1000");
  }
  db.pragma(`synchronous = ${durable ? "FULL" : "OFF"}`);
  db.pragma(`cache_size = -${cacheKiB}`);
  db.pragma("mmap_size = 0");
  return db;
}
