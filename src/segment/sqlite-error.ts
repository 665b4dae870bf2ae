import Database from "better-sqlite3";
import { HostError } from "../errors.js";

/** An error of SQLite in the host's terms; `what` says what was being done, and to which file. */
export function fromSqlite(thrown: unknown, what: string): HostError {
  if (thrown instanceof HostError) return thrown;
  if (!(thrown instanceof Database.SqliteError)) return HostError.from(thrown);
  const { code } = thrown;
  if (code === "SQLITE_FULL") {
    return new HostError(
      "STORAGE_FULL",
      `${what} failed: the disk is full. Nothing was changed; free space and try again.`,
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
      `${what} failed: the disk did not do its work (${code}).`,
      { cause: thrown },
    );
  }
  return new HostError("INTERNAL", `${what} failed in the storage engine (${code}).`, {
    cause: thrown,
  });
}

/** Whether a failed commit leaves open what is on the disk: after it the index must not be written again. */
export function isUncertain(thrown: unknown): boolean {
  return (
    thrown instanceof Database.SqliteError &&
    (thrown.code.startsWith("SQLITE_IOERR") || thrown.code.startsWith("SQLITE_CORRUPT"))
  );
}
