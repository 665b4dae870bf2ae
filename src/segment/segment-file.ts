import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statSync,
  type Stats,
} from "node:fs";
import Database from "better-sqlite3";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { SegmentSource } from "../engine/engine.js";
import { segmentSchema } from "./tables.js";

/**
 * Returns the SHA-256 of a file in lower-case hexadecimal. Blocks, so it is for threads and child
 * processes only. `cancelled` is called for each chunk and throws to cancel.
 */
export function digestFile(path: string, cancelled: () => void): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(limits.copyChunkBytes);
    for (;;) {
      cancelled();
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}

/** The error for a segment whose content is not what its manifest states. */
export function damaged(segment: SegmentSource, problem: string): HostError {
  return new HostError(
    "BACKUP_DAMAGED",
    `The segment ${segment.path} is damaged: ${problem}. Use another backup.`,
    {
      metadata: { file: segment.path },
    },
  );
}

/** Throws BACKUP_DAMAGED unless the segment has as many rows as its manifest states. */
export function requireRecords(segment: SegmentSource, rows: number): void {
  if (rows !== segment.records)
    throw damaged(segment, `it contains ${rows} rows, not ${segment.records}`);
}

/**
 * Checks the size and digest of a segment, which must be done before its contents are read. Throws
 * BACKUP_DAMAGED.
 */
export function checkDigest(segment: SegmentSource, cancelled: () => void): void {
  const { size } = regularFile(segment);
  if (size !== segment.sizeBytes)
    throw damaged(segment, `its size is ${size} bytes, not ${segment.sizeBytes}`);
  const digest = digestFile(segment.path, cancelled);
  if (digest !== segment.sha256)
    throw damaged(segment, `its SHA-256 is ${digest}, not ${segment.sha256}`);
}

/** Checks the sizes and digests of all segments. */
export function checkDigests(segments: readonly SegmentSource[]): void {
  for (const segment of segments) checkDigest(segment, () => {});
}

/** Opening a pipe would block. */
function regularFile(segment: SegmentSource): Stats {
  const status = statSync(segment.path);
  if (!status.isFile()) throw damaged(segment, "it is not a regular file");
  return status;
}

/**
 * Opens a segment for reading. Throws BACKUP_DAMAGED unless its schema is exactly that of a
 * segment.
 */
export function openSegment(segment: SegmentSource): Database.Database {
  regularFile(segment);
  // SQLite would replay such a file into the database.
  const journal = ["-wal", "-shm", "-journal"].find((suffix) => existsSync(segment.path + suffix));
  if (journal !== undefined)
    throw damaged(segment, `it has a ${journal} file, which no backup has`);
  const db = new Database(segment.path, { readonly: true, fileMustExist: true });
  try {
    db.pragma("trusted_schema = OFF");
    db.pragma("cell_size_check = ON");
    db.pragma("cache_size = -2048");
    const tables = db.prepare("SELECT type, name, sql FROM sqlite_schema").all() as {
      type: string;
      name: string;
      sql: string | null;
    }[];
    for (const { type, name, sql } of tables) {
      if (type !== "table" || sql === null || segmentSchema[name] !== sql)
        throw damaged(segment, `it contains an unexpected ${type} ${name}`);
    }
    if (tables.length !== Object.keys(segmentSchema).length)
      throw damaged(segment, "a table is missing");
    return db;
  } catch (thrown) {
    db.close();
    throw thrown instanceof HostError
      ? thrown
      : damaged(segment, thrown instanceof Error ? thrown.message : "it cannot be read");
  }
}

/**
 * Opens a segment, calls `work` and closes it. Throws BACKUP_DAMAGED if SQLite cannot read the
 * segment.
 */
export function readSegment<T>(segment: SegmentSource, work: (db: Database.Database) => T): T {
  const db = openSegment(segment);
  try {
    return work(db);
  } catch (thrown) {
    throw thrown instanceof Database.SqliteError ? damaged(segment, thrown.message) : thrown;
  } finally {
    db.close();
  }
}
