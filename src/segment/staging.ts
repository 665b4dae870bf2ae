import Database from "better-sqlite3";
import type { DocumentVersion } from "../document/document.js";
import { linkPrefixRange } from "../document/link.js";
import { createPrivateFile } from "../io/private-file.js";
import { Proof } from "./proof.js";
import { logRowColumns, toLogRow } from "./row.js";
import { fromSqlite } from "./sqlite-error.js";
import { writeStagedBase, type StagedBase } from "./staged-base.js";

/** Collects versions from another source in a file, until they become a base segment. Its calls block. */
export class Staging {
  /** Compares the versions of both sides. */
  readonly proof: Proof;
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #add: (versions: readonly DocumentVersion[], latestOnly: boolean) => number;

  /** Opens or creates a staging file. Throws the error of SQLite as a HostError. */
  constructor(path: string) {
    this.#path = path;
    this.#db = openDatabase(path);
    this.#add = prepareAdd(this.#db);
    this.proof = new Proof(this.#db);
  }

  /**
   * Adds the versions that the file lacks and returns their number. With `latestOnly`, keeps the latest
   * version of each link, and none of deleted documents.
   */
  add(versions: readonly DocumentVersion[], latestOnly: boolean): number {
    return this.#guarded(() => this.#add(versions, latestOnly));
  }

  /** Returns the note stored under a name, which outlives a restart. */
  note(name: string): string | undefined {
    return this.#db
      .prepare<[string], string>("SELECT value FROM note WHERE name = ?")
      .pluck()
      .get(name);
  }

  setNote(name: string, value: string): void {
    this.#guarded(() =>
      this.#db.prepare("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)").run(name, value),
    );
  }

  /** Counts the versions of links with the prefix. */
  count(linkPrefix: string): number {
    const count = this.#db
      .prepare<[string, string], number>("SELECT count(*) FROM staged WHERE link >= ? AND link < ?")
      .pluck();
    return count.get(...linkPrefixRange(linkPrefix)) ?? 0;
  }

  /** Writes all versions to a new base segment, complete and synced when the call returns. */
  writeBase(path: string): StagedBase {
    return this.#guarded(() => writeStagedBase(this.#db, path));
  }

  close(): void {
    this.#db.close();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw fromSqlite(thrown, `Writing to ${this.#path}`);
    }
  }
}

function openDatabase(path: string): Database.Database {
  try {
    createPrivateFile(path);
    const db = new Database(path);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL");
    // Two imports into one file would mix their documents.
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec(`
      CREATE TABLE IF NOT EXISTS staged (time INTEGER NOT NULL, link TEXT NOT NULL, version INTEGER NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,
        owner TEXT NOT NULL, expires INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (link, version)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`);
    return db;
  } catch (thrown) {
    throw fromSqlite(thrown, `Opening ${path}`);
  }
}

function prepareAdd(
  db: Database.Database,
): (versions: readonly DocumentVersion[], latestOnly: boolean) => number {
  const insert = db.prepare(
    `INSERT OR IGNORE INTO staged (${logRowColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const latest = db
    .prepare<[string], number | null>("SELECT max(version) FROM staged WHERE link = ?")
    .pluck();
  const remove = db.prepare("DELETE FROM staged WHERE link = ?");
  const addOne = (version: DocumentVersion, latestOnly: boolean): number => {
    if (!latestOnly) return insert.run(...toLogRow(version)).changes;
    if ((latest.get(version.link) ?? -1) >= version.version) return 0;
    const removed = remove.run(version.link).changes;
    return version.action === "DELETE" ? removed : insert.run(...toLogRow(version)).changes;
  };
  return db.transaction((versions: readonly DocumentVersion[], latestOnly: boolean) =>
    versions.reduce((sum, version) => sum + addOne(version, latestOnly), 0),
  );
}
