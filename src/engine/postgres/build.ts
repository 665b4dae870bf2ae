import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { HostError } from "../../errors.js";
import { openSegment, requireRecords } from "../../segment/segment-file.js";
import { logColumns, pruneColumns } from "../../segment/tables.js";
import type { BuildResult, IndexIdentity, SegmentSource } from "../engine.js";
import { connect, hangUp, type PostgresAddress } from "./connect.js";
import { copyOf } from "./copy-format.js";
import {
  countActivity,
  generationIndexes,
  generationTables,
  tablesOf,
  type Tables,
} from "./tables.js";

/** A generation to build from segments. */
export interface PostgresBuildTask {
  address: PostgresAddress;
  schema: string;
  /** Key of the row of the index. */
  index: number;
  /** Number of the new generation. */
  generation: number;
  /** ID of the host that builds it. */
  builder: string;
  segments: SegmentSource[];
  targetTimeMicros?: number;
  identity: IndexIdentity;
}

/** What was loaded, as the segments and the database count it. */
interface Sums {
  rows: number;
  /** The sum of the checksums, modulo 2^32. */
  crcs: number;
  lengths: number;
}

/**
 * Builds a generation from the segments, in order: rows up to the target time, all compactions, then the indexes. One
 * transaction: it is there as a whole, or not at all. Blocks between rows: call it in a process of its own.
 */
export async function buildGeneration(
  task: PostgresBuildTask,
  report: (stage: "loading" | "indexing" | "checking", rows: number) => void,
): Promise<BuildResult> {
  const tables = tablesOf(task.schema);
  const client = await connect(task.address);
  try {
    await client.query("BEGIN; SET LOCAL synchronous_commit = on");
    for (const statement of generationTables(tables, task.generation))
      await client.query(statement);
    const loaded = await load(client, tables, task, (rows) => report("loading", rows));
    await requireLoaded(client, tables, task.generation, loaded);
    report("indexing", 0);
    for (const statement of generationIndexes(tables, task.generation))
      await client.query(statement);
    await client.query(
      `DELETE FROM ${tables.log(task.generation)} l USING ${tables.prune(task.generation)} p
       WHERE l.link = p.link AND l.version <= p.version AND l.time < p.time`,
    );
    await client.query(countActivity(tables, task.generation));
    report("checking", loaded.rows);
    const counts = await describe(client, tables, task);
    await client.query("COMMIT");
    return counts;
  } finally {
    await hangUp(client);
  }
}

/** Creates an empty generation of a new index, in the transaction of the caller. */
export async function createEmptyGeneration(
  client: Client,
  tables: Tables,
  task: Pick<PostgresBuildTask, "index" | "generation" | "builder" | "identity">,
): Promise<void> {
  for (const statement of [
    ...generationTables(tables, task.generation),
    ...generationIndexes(tables, task.generation),
  ])
    await client.query(statement);
  await describe(client, tables, task);
}

async function load(
  client: Client,
  tables: Tables,
  { generation, segments, targetTimeMicros = Number.MAX_SAFE_INTEGER }: PostgresBuildTask,
  report: (rows: number) => void,
): Promise<Sums> {
  const sums: Sums = { rows: 0, crcs: 0, lengths: 0 };
  /** Rows of the segments before. */
  let loaded = 0;
  for (const segment of segments) {
    const before = sums.rows;
    const db = openSegment(segment);
    try {
      requireRecords(segment, db.prepare("SELECT count(*) FROM log").pluck().get() as number);
      const rows = db
        .prepare(`SELECT ${logColumns} FROM log WHERE time <= ? ORDER BY time`)
        .raw()
        .iterate(targetTimeMicros) as IterableIterator<(string | number)[]>;
      const counted = function* () {
        for (const row of rows) {
          sums.crcs = (sums.crcs + Number(row[7])) % 2 ** 32;
          yield row;
        }
      };
      const chunks = copyOf(counted(), (bodyBytes) => {
        sums.rows += 1;
        sums.lengths += bodyBytes;
        if (sums.rows % 10_000 === 0) report(loaded + sums.rows - before);
      });
      await pipeline(
        Readable.from(chunks, { objectMode: false }),
        client.query(
          copyFrom(
            `COPY ${tables.log(generation)} (${logColumns}) FROM STDIN (FORMAT binary, FREEZE)`,
          ),
        ),
      );
      await loadPrunes(
        client,
        tables.prune(generation),
        db.prepare(`SELECT ${pruneColumns} FROM prune`).raw().iterate() as IterableIterator<
          (string | number)[]
        >,
      );
    } finally {
      db.close();
    }
    loaded += segment.records;
    report(loaded);
  }
  return sums;
}

/** Later records of the compaction of a link replace earlier ones. */
async function loadPrunes(
  client: Client,
  table: string,
  rows: Iterable<(string | number)[]>,
): Promise<void> {
  await client.query(`CREATE TEMPORARY TABLE loaded (LIKE ${table}) ON COMMIT DROP`);
  await pipeline(
    Readable.from(
      copyOf(rows, () => {}),
      { objectMode: false },
    ),
    client.query(copyFrom(`COPY loaded (${pruneColumns}) FROM STDIN (FORMAT binary)`)),
  );
  await client.query(
    `INSERT INTO ${table} (${pruneColumns}) SELECT ${pruneColumns} FROM loaded
     ON CONFLICT (link) DO UPDATE SET (time, version, since, until, crc) = (excluded.time, excluded.version, excluded.since, excluded.until, excluded.crc)`,
  );
  await client.query("DROP TABLE loaded");
}

/** Compares what the database stored with what was sent. */
async function requireLoaded(
  client: Client,
  tables: Tables,
  generation: number,
  sent: Sums,
): Promise<void> {
  const { rows } = await client.query<{ rows: number; crcs: number; lengths: number }>(
    `SELECT count(*) AS rows, (coalesce(sum(crc), 0) % 4294967296)::bigint AS crcs, coalesce(sum(octet_length(body)), 0)::bigint AS lengths FROM ${tables.log(generation)}`,
  );
  const stored = rows[0];
  if (stored?.rows !== sent.rows || stored.crcs !== sent.crcs || stored.lengths !== sent.lengths)
    throw new HostError(
      "INTERNAL",
      `The database stored other rows than it was sent: ${stored?.rows} instead of ${sent.rows}.`,
    );
}

/** Counts the log of a generation, and enters the generation. */
async function describe(
  client: Client,
  tables: Tables,
  {
    index,
    generation,
    builder,
    identity: { lineage, parents },
  }: Pick<PostgresBuildTask, "index" | "generation" | "builder" | "identity">,
): Promise<BuildResult> {
  const [log, prune] = [tables.log(generation), tables.prune(generation)];
  await client.query(`ANALYZE ${log}`);
  const { rows } = await client.query<BuildResult>(
    `SELECT (SELECT count(*) FROM ${log}) AS versions,
       (SELECT count(*) FROM (SELECT DISTINCT ON (link) action FROM ${log} ORDER BY link, version DESC) d WHERE action <> 'DELETE') AS documents,
       greatest((SELECT max(time) FROM ${log}), (SELECT max(time) FROM ${prune}), 0) AS "positionMicros"`,
  );
  const [counts] = rows;
  if (!counts) throw new HostError("INTERNAL", "The database returned no counts.");
  await client.query(
    `INSERT INTO ${tables.generation} (number, idx, lineage, parents, documents, versions, builder) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      generation,
      index,
      lineage,
      JSON.stringify(parents),
      counts.documents,
      counts.versions,
      builder,
    ],
  );
  return counts;
}
