import Database from "better-sqlite3";
import { HostError } from "../errors.js";

/**
 * Converts an error of SQLite to a HostError. `what` names the activity and the file, as in
 * `Opening /d/index`.
 */
export function fromSqlite(thrown: unknown, what: string): HostError {
  if (thrown instanceof HostError) return thrown;
  if (!(thrown instanceof Database.SqliteError)) return HostError.from(thrown);
  const { code } = thrown;
  if (code === "SQLITE_FULL") {
    return new HostError(
      "STORAGE_FULL",
      `${what} failed: the disk is full. Nothing was changed. Free space and try again.`,
      { cause: thrown },
    );
  }
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
    return new HostError(
      "INDEX_DAMAGED",
      `${what} failed: the database is damaged (${code}). Restore it from a backup.`,
      { cause: thrown },
    );
  }
  if (code.startsWith("SQLITE_IOERR") || code === "SQLITE_CANTOPEN" || code === "SQLITE_READONLY") {
    return new HostError(
      "STORAGE_FAILED",
      `${what} failed: input/output error (${code}). Check the disk and the permissions of the file.`,
      { cause: thrown },
    );
  }
  return new HostError("INTERNAL", `${what} failed in the storage engine (${code}).`, {
    cause: thrown,
  });
}

/**
 * Whether the state on disk is unknown after a failed commit, so that the index must not be written
 * to again.
 */
export function isUncertain(thrown: unknown): boolean {
  return (
    thrown instanceof Database.SqliteError &&
    (thrown.code.startsWith("SQLITE_IOERR") || thrown.code.startsWith("SQLITE_CORRUPT"))
  );
}
