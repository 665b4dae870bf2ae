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
import { copiedRows, numberOf } from "./copy-format.js";
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

/** Texts as the bytes of UTF-8, which SQLite takes as they are. */
type SegmentRow = [number, Buffer, number, Buffer, Buffer, Buffer, number, number, Buffer];

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
    const text = "CAST(? AS TEXT)";
    const insert = db.prepare(
      `INSERT INTO log (${logColumns}) VALUES (?, ${text}, ?, ${text}, ${text}, ${text}, ?, ?, ${text})`,
    );
    const add = db.transaction((rows: SegmentRow[]) => {
      for (const row of rows) insert.run(...row);
    });
    const write = (rows: SegmentRow[], bytes: number) => {
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

/** Passes the rows on in the parts in which the SQLite engine commits them. */
async function inParts(
  rows: AsyncIterable<Buffer[]>,
  write: (rows: SegmentRow[], bytes: number) => void,
): Promise<void> {
  let waiting: { row: SegmentRow; bytes: number }[] = [];
  let bytes = 0;
  const flush = () => {
    const count = partOf(waiting.map((one) => one.bytes));
    const part = waiting.slice(0, count);
    waiting = waiting.slice(count);
    const size = part.reduce((sum, one) => sum + one.bytes, 0);
    bytes -= size;
    write(
      part.map(({ row }) => row),
      size,
    );
  };
  for await (const fields of rows) {
    const row = rowOf(fields);
    const size = fields[8]?.length ?? 0;
    waiting.push({ row, bytes: size });
    bytes += size;
    if (waiting.length >= limits.exportRows || bytes > statementBytes) flush();
  }
  while (waiting.length > 0) flush();
}

function rowOf(fields: Buffer[]): SegmentRow {
  const [time, link, version, action, kind, owner, expires, crc, body] = fields;
  if (!time || !link || !version || !action || !kind || !owner || !expires || !crc || !body)
    throw new HostError(
      "INTERNAL",
      "The answer of the database to COPY has a row of other columns.",
    );
  return [
    numberOf(time),
    link,
    numberOf(version),
    action,
    kind,
    owner,
    numberOf(expires),
    numberOf(crc),
    body,
  ];
}
