import Database from "better-sqlite3";
import { crc32 } from "node:zlib";
import { HostError } from "../../errors.js";
import { createActivityTable } from "./activity.js";
import { segmentSchema } from "../../segment/tables.js";
import type { IndexIdentity, LineageParent } from "../engine.js";

/**
 * Version of the tables of an index. The format of backups has a version of its own. A column must not be added with ALTER
 * TABLE: a record that a restore copied as it is may have values behind its last column.
 */
const formatVersion = 1;

/** File name of the database in the directory of a generation. */
export const databaseName = "index.sqlite";

/** A build creates them after loading the rows, which is faster than updating them for each row. */
const indexStatements = [
  "CREATE UNIQUE INDEX log_version ON log (link, version)",
  "CREATE INDEX log_deleted ON log (link, version) WHERE action = 'DELETE'",
  "CREATE INDEX log_expires ON log (expires) WHERE expires > 0",
];

/** Creates the tables of an index: those of a segment, `meta` and `activity`. */
export function createIndexTables(db: Database.Database): void {
  db.pragma("page_size = 4096");
  for (const statement of Object.values(segmentSchema)) db.exec(statement);
  db.exec("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID");
  createActivityTable(db);
}

/** Creates the key indexes of the log. */
export function createIndexes(db: Database.Database): void {
  for (const statement of indexStatements) db.exec(statement);
}

/** Documents that are not deleted, and kept versions of all documents. */
export interface Counts {
  documents: number;
  versions: number;
}

/** Content of the table `meta`: what the log of an index does not contain. */
export interface Meta extends IndexIdentity {
  formatVersion: number;
  /** Absent if they do not match their checksum: the log has to be counted. */
  counts?: Counts;
  /** Update times continue above it: the end of the window of the last snapshot. */
  minTimeMicros: number;
}

/** Stores the identity of an index. */
export function writeIdentity(db: Database.Database, identity: IndexIdentity): void {
  const put = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
  put.run("format_version", String(formatVersion));
  put.run("index_id", identity.indexId);
  put.run("lineage", identity.lineage);
  put.run("parents", JSON.stringify(identity.parents));
}

/** Stores the counts of an index. */
export function writeCounts(db: Database.Database, counts: Counts): void {
  db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('counts', ?)").run(
    countsText(counts),
  );
}

/** Encodes counts with a checksum: every manifest states them, so a flipped bit would produce backups that no restore accepts. */
export function countsText({ documents, versions }: Counts): string {
  return JSON.stringify({ documents, versions, crc: crc32(`${documents}\n${versions}`) });
}

/** Decodes counts. "wrong": the checksum does not match, or is missing as in older indexes. Undefined: not JSON. */
function readCounts(text: string | undefined): Counts | "wrong" | undefined {
  try {
    const { documents, versions } = JSON.parse(text ?? "") as Counts;
    return text === countsText({ documents, versions }) ? { documents, versions } : "wrong";
  } catch {
    return undefined;
  }
}

/** Counts the log. */
export function countLog(db: Database.Database): Counts {
  return {
    versions: db.prepare("SELECT count(*) FROM log").pluck().get() as number,
    documents: db
      .prepare(
        `SELECT count(*) FROM (SELECT link, max(version) AS version FROM log INDEXED BY log_version GROUP BY link) g
         WHERE NOT EXISTS (SELECT 1 FROM log d INDEXED BY log_deleted WHERE d.link = g.link AND d.version = g.version AND d.action = 'DELETE')`,
      )
      .pluck()
      .get() as number,
  };
}

/** Reads `meta`. FORMAT_TOO_NEW for an index of a newer format, before anything is changed; INDEX_DAMAGED. */
export function readMeta(db: Database.Database): Meta {
  const damaged = (problem: string) =>
    new HostError(
      "INDEX_DAMAGED",
      `The index ${db.name} is damaged or not one of Holdfast: ${problem}. Restore a backup into a new data directory.`,
    );
  const rows = new Map<string, string>();
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined)
    throw damaged("its table meta is missing");
  for (const [key, value] of db.prepare("SELECT key, value FROM meta").raw().all() as [
    string,
    string,
  ][])
    rows.set(key, value);
  const found = Number(rows.get("format_version"));
  if (found > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `The index ${db.name} has format ${found}; this host supports formats up to ${formatVersion}. Run the newer version that wrote it.`,
    );
  }
  const indexId = rows.get("index_id");
  const lineage = rows.get("lineage");
  if (found !== formatVersion || !indexId || !lineage) throw damaged("its identity is missing");
  const parents = readParents(rows.get("parents"));
  const minTimeMicros = Number(rows.get("floor") ?? "0");
  if (parents === undefined) throw damaged("its parents cannot be read");
  if (!Number.isSafeInteger(minTimeMicros) || minTimeMicros < 0)
    throw damaged("its last update time is invalid");
  const counts = readCounts(rows.get("counts"));
  if (counts === undefined) throw damaged("its counts cannot be read");
  return {
    formatVersion: found,
    indexId,
    lineage,
    parents,
    minTimeMicros,
    ...(counts !== "wrong" && { counts }),
  };
}

function readParents(text = "[]"): LineageParent[] | undefined {
  try {
    const parents: unknown = JSON.parse(text);
    return Array.isArray(parents) && parents.every(isParent) ? parents : undefined;
  } catch {
    return undefined;
  }
}

function isParent(value: unknown): value is LineageParent {
  return (
    typeof value === "object" &&
    value !== null &&
    "indexId" in value &&
    typeof value.indexId === "string" &&
    "lineage" in value &&
    typeof value.lineage === "string" &&
    "positionMicros" in value &&
    Number.isSafeInteger(value.positionMicros)
  );
}

/** Returns the position of a log: the time of its last version or compaction, 0 if it is empty. */
export function readPosition(db: Database.Database): number {
  return db
    .prepare(
      "SELECT max(coalesce((SELECT max(time) FROM log), 0), coalesce((SELECT max(time) FROM prune), 0))",
    )
    .pluck()
    .get() as number;
}

/** Opens a connection to an index with the settings that every connection needs. `synchronous` is explicit: the default of the build is NORMAL. */
export function openIndex(
  path: string,
  mode: "write" | "read",
  durable: boolean,
  cacheKiB: number,
): Database.Database {
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
