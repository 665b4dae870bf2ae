import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { to as copyTo } from "pg-copy-streams";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { syncPath } from "../../io/durable-file.js";
import { createPrivateFile } from "../../io/private-file.js";
import { digestFile } from "../../segment/segment-file.js";
import { createSegmentTables, logColumns, pruneColumns } from "../../segment/tables.js";
import { partOf, statementBytes } from "../copy/export-parts.js";
import type { SegmentContent } from "../engine.js";
import { connect, hangUp, type PostgresAddress } from "./connect.js";
import { copiedRows, type CopiedRow } from "./copy-format.js";
import { tablesOf } from "./tables.js";

/** A range of the log to copy into a segment. */
export interface PostgresExportTask {
  address: PostgresAddress;
  schema: string;
  generation: number;
  kind: "base" | "delta";
  /** Path of the new segment. */
  path: string;
  firstMicros: number;
  lastMicros: number;
}

const rowsPerInsert = 8;

/** Bytes between two syncs: a single sync at the end would delay the syncs of others. */
const syncEveryBytes = 4 * 1024 * 1024;

/**
 * Copies the log rows in (firstMicros, lastMicros] into a new segment, which has the same bytes as one that the SQLite
 * engine exports. `report` receives the number of rows, and throws to cancel.
 */
export async function exportSegment(
  task: PostgresExportTask,
  report: (rows: number) => void,
): Promise<SegmentContent> {
  const { address, generation, path, firstMicros, lastMicros } = task;
  const tables = tablesOf(task.schema);
  createPrivateFile(path);
  const db = new Database(path);
  let records = 0;
  let prunes = 0;
  let unsynced = 0;
  try {
    createSegmentTables(db);
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("cache_size = -4096");
    const insert = insertInto(db);
    const add = db.transaction(insert);
    const write = (rows: CopiedRow[], bytes: number) => {
      add(rows);
      records += rows.length;
      unsynced += bytes;
      if (unsynced >= syncEveryBytes) {
        syncPath(path);
        unsynced = 0;
      }
      report(records);
    };
    const client = await connect(address);
    try {
      // By the index, in the order of the log: a sort would write all rows to temporary files before the first one.
      await client.query(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0",
      );
      const range = `time > ${firstMicros} AND time <= ${lastMicros}`;
      const rows = copiedRows(
        client.query(
          copyTo(
            `COPY (SELECT ${logColumns} FROM ${tables.log(generation)} WHERE ${range} ORDER BY time) TO STDOUT (FORMAT binary)`,
          ),
        ),
      );
      await inParts(rows, write);
      const pruned = await client.query<number[]>({
        text: `SELECT ${pruneColumns} FROM ${tables.prune(generation)} WHERE ${range} ORDER BY link`,
        rowMode: "array",
      });
      const insertPrune = db.prepare(
        `INSERT INTO prune (${pruneColumns}) VALUES (?, ?, ?, ?, ?, ?)`,
      );
      db.transaction(() => {
        for (const row of pruned.rows) insertPrune.run(...row);
      })();
      prunes = pruned.rows.length;
    } finally {
      // A COPY that was cancelled is not read to its end.
      await hangUp(client);
    }
  } finally {
    db.close();
  }
  const { size } = statSync(path);
  if (size === 0) throw new HostError("INTERNAL", `The segment ${path} is empty after the export.`);
  return {
    kind: task.kind,
    firstMicros,
    lastMicros,
    records,
    prunes,
    sizeBytes: size,
    sha256: digestFile(path, () => report(records)),
  };
}

/** Returns a function that inserts rows, many with one statement, which takes two thirds of the time. */
function insertInto(db: Database.Database): (rows: CopiedRow[]) => void {
  // SQLite takes the bytes of a text as they are.
  const text = "CAST(? AS TEXT)";
  const values = `(?, ${text}, ?, ${text}, ${text}, ${text}, ?, ?, ${text})`;
  const of = (rows: number) =>
    db.prepare(
      `INSERT INTO log (${logColumns}) VALUES ${Array.from({ length: rows }, () => values).join()}`,
    );
  const [one, many] = [of(1), of(rowsPerInsert)];
  return (rows) => {
    let at = 0;
    for (; at + rowsPerInsert <= rows.length; at += rowsPerInsert)
      many.run(rows.slice(at, at + rowsPerInsert).flat());
    for (const row of rows.slice(at)) one.run(row);
  };
}

/** Passes the rows on in the parts in which the SQLite engine commits them. */
async function inParts(
  chunks: AsyncIterable<CopiedRow[]>,
  write: (rows: CopiedRow[], bytes: number) => void,
): Promise<void> {
  let waiting: CopiedRow[] = [];
  let bytes = 0;
  const flush = () => {
    const count = partOf(waiting.map((row) => row[8].length));
    const part = waiting.slice(0, count);
    waiting = waiting.slice(count);
    const size = part.reduce((sum, row) => sum + row[8].length, 0);
    bytes -= size;
    write(part, size);
  };
  for await (const rows of chunks)
    for (const row of rows) {
      waiting.push(row);
      bytes += row[8].length;
      if (waiting.length >= limits.exportRows || bytes > statementBytes) flush();
    }
  while (waiting.length > 0) flush();
}
