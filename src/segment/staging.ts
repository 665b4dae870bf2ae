import Database from "better-sqlite3";
import type { DocumentVersion } from "../document/document.js";
import type { Staging } from "../engine/engine.js";
import { linkPrefixRange } from "../document/link.js";
import { createProof } from "./proof.js";
import { logRowColumns, type LogRow } from "./row.js";
import { fromSqlite } from "./sqlite-error.js";
import { writeStagedBase } from "./staged-base.js";
import { createPrivateFile } from "../io/private-file.js";

/**
 * Opens or creates a staging file for versions from another source. Throws the error of SQLite as a
 * HostError.
 */
export function openStaging(path: string): Staging {
  let db: Database.Database;
  try {
    createPrivateFile(path);
    db = new Database(path);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL");
    // Two imports into one file would mix their documents.
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec(`
      CREATE TABLE IF NOT EXISTS staged (time INTEGER NOT NULL, link TEXT NOT NULL, version INTEGER NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,
        owner TEXT NOT NULL, expires INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (link, version)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`);
  } catch (thrown) {
    throw fromSqlite(thrown, `Opening ${path}`);
  }
  const insert = db.prepare(
    `INSERT OR IGNORE INTO staged (${logRowColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const known = db
    .prepare<[string], number | null>("SELECT max(version) FROM staged WHERE link = ?")
    .pluck();
  const remove = db.prepare("DELETE FROM staged WHERE link = ?");
  const readNote = db.prepare<[string], string>("SELECT value FROM note WHERE name = ?").pluck();
  const writeNote = db.prepare("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)");

  function addOne(document: DocumentVersion, latestOnly: boolean): number {
    const { updateTimeMicros, link, version, action, kind, owner, expirationTimeMicros, body } =
      document;
    const row: LogRow = [
      updateTimeMicros,
      link,
      version,
      action,
      kind,
      owner,
      expirationTimeMicros,
      body,
    ];
    if (!latestOnly) return insert.run(...row).changes;
    if ((known.get(link) ?? -1) >= version) return 0;
    const had = remove.run(link).changes;
    return action === "DELETE" ? had : insert.run(...row).changes;
  }

  const add = db.transaction((documents: readonly DocumentVersion[], latestOnly: boolean) =>
    documents.reduce((sum, document) => sum + addOne(document, latestOnly), 0),
  );

  return {
    add: (documents, latestOnly) => guarded(() => add(documents, latestOnly)),
    note: (name) => readNote.get(name),
    setNote: (name, value) => void guarded(() => writeNote.run(name, value)),
    count: (prefix) =>
      db
        .prepare<[string, string], number>(
          "SELECT count(*) FROM staged WHERE link >= ? AND link < ?",
        )
        .pluck()
        .get(...linkPrefixRange(prefix)) ?? 0,
    proof: createProof(db),
    writeBase: (target) => guarded(() => writeStagedBase(db, target)),
    close: () => void db.close(),
  };

  function guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw fromSqlite(thrown, `Writing to ${path}`);
    }
  }
}
