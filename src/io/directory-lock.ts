import { dirname } from "node:path";
import Database from "better-sqlite3";
import { HostError } from "../errors.js";
import { errnoOf } from "./file-system.js";
import { createPrivateFile } from "./private-file.js";

/**
 * Holds a directory for one process. The lock is SQLite's exclusive lock on a small database of its own, which the
 * operating system drops with the process however it ends. Nothing else may open that file.
 */
export function lockDirectory(path: string): { release(): void } {
  const refused = (cause: unknown) =>
    new HostError(
      "DIRECTORY_IN_USE",
      `Another host uses ${dirname(path)}. Stop it, or give this one a data directory of its own.`,
      { cause },
    );
  let db: Database.Database;
  try {
    createPrivateFile(path);
    db = new Database(path, { timeout: 0 });
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The lock ${path} cannot be made; check that the directory can be written.`,
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
        ? "it is no lock; remove it if no host is running"
        : "is the directory writable?";
    throw new HostError("CONFIGURATION_INVALID", `The lock ${path} cannot be taken: ${problem}`, {
      cause,
    });
  }
  return { release: () => void db.close() };
}
