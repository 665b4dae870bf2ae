import { dirname } from "node:path";
import Database from "better-sqlite3";
import { HostError } from "../errors.js";
import { errnoOf } from "./file-system.js";
import { createPrivateFile } from "./private-file.js";

/**
 * Locks a directory for this process. The lock is SQLite's exclusive lock on an empty database at
 * `path`, which the operating system releases when the process ends. No other code may open that
 * file. Throws DIRECTORY_IN_USE if another process has the lock, and CONFIGURATION_INVALID if the lock
 * file cannot be created or opened.
 */
export function lockDirectory(path: string): { release(): void } {
  const refused = (cause: unknown) =>
    new HostError(
      "DIRECTORY_IN_USE",
      `Another host uses ${dirname(path)}. Stop that host, or use another data directory.`,
      { cause },
    );
  let db: Database.Database;
  try {
    createPrivateFile(path);
    db = new Database(path, { timeout: 0 });
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Cannot create the lock file ${path}. Check that the directory is writable.`,
      { cause },
    );
  }
  try {
    db.pragma("journal_mode = DELETE");
    db.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    db.close();
    if (errnoOf(cause)?.startsWith("SQLITE_BUSY")) throw refused(cause);
    const problem =
      errnoOf(cause) === "SQLITE_NOTADB"
        ? "the file is not a lock file. Remove it if no host is running."
        : "check that the directory is writable.";
    throw new HostError("CONFIGURATION_INVALID", `Cannot acquire the lock ${path}: ${problem}`, {
      cause,
    });
  }
  return { release: () => void db.close() };
}
