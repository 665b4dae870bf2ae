import type { Client } from "pg";
import { limits } from "../../limits.js";
import { logChecksum, pruneChecksum, withChecksum, type CheckedRow } from "../../segment/row.js";
import { countedActions, minuteColumns, minuteMicros } from "../activity.js";
import type { SweepResult } from "../engine.js";
import type { LiveIndex } from "./live-index.js";
import { databaseClock, rowColumns } from "./tables.js";
import type { PostgresWriter, Sent } from "./writer.js";

/** What a sweep may remove. */
export interface SweepOptions {
  nowMicros: number;
  retainedVersions: number;
  historyMicros: number;
}

/** A link whose oldest versions may go. */
interface Compaction {
  link: string;
  /** Version up to which they go, and the times of the first of them and of the first that stays. */
  version: number;
  first: number;
  until: number;
  count: number;
}

const nothing: SweepResult = { expired: 0, compacted: 0, damaged: [] };

/** Expires documents and compacts histories, in one bounded step of one transaction. */
export async function sweep(
  index: LiveIndex,
  writer: PostgresWriter,
  options: SweepOptions,
): Promise<SweepResult> {
  const { tables } = index;
  const { nowMicros, retainedVersions, historyMicros } = options;
  await seedOverfull(index, writer, retainedVersions);
  const [work] = (await index.read(
    {
      name: "due",
      text: (
        generation,
      ) => `SELECT i.live, 1, EXISTS (SELECT 1 FROM ${tables.generation} g JOIN ${tables.log(generation)} l
            ON l.expires > 0 AND l.expires <= $3 AND (l.expires, l.time) > (g.expiry_expires, g.expiry_time) WHERE g.number = $2),
          EXISTS (SELECT 1 FROM ${tables.overfull(generation)}) FROM ${tables.idx} i WHERE i.id = $1`,
    },
    [nowMicros],
    `Sweeping ${index.name}`,
    "scanner",
  )) as [number, boolean, boolean][];
  const [, hasExpired = false, isOverfull = false] = work ?? [];
  if (!hasExpired && !isOverfull) return nothing;
  const most = limits.compactionRows;
  // One time for each deletion, and one for each compaction.
  return writer.underLock("Sweeping", 2 * most, async (client, generation, locked) => {
    const { last } = await locked;
    let time = last - 2 * most;
    const nextTime = () => (time += 1);
    const expired = hasExpired
      ? await expire(index, client, generation, nowMicros, nextTime)
      : undefined;
    const isPinned = await hasPins(client, index);
    const compactions =
      isPinned || !isOverfull
        ? []
        : await compactable(index, client, generation, nowMicros - historyMicros, retainedVersions);
    const rows = expired?.rows ?? [];
    const statements: Promise<unknown>[] = [
      ...(rows.length > 0 ? writer.insert(client, generation, rows, -rows.length) : []),
      ...(expired ? [moveCursor(index, client, generation, expired.last)] : []),
      ...(await compact(index, client, generation, compactions, nextTime)),
    ];
    const result: SweepResult = {
      expired: rows.length,
      compacted: compactions.reduce((sum, { count }) => sum + count, 0),
      damaged: expired?.damaged ?? [],
    };
    return { result, statements, row: rows[0] } satisfies Sent<SweepResult>;
  });
}

/** Finds the links with more versions than are kept: once, and when another number of them is kept. */
async function seedOverfull(
  index: LiveIndex,
  writer: PostgresWriter,
  retainedVersions: number,
): Promise<void> {
  const { tables } = index;
  const [row] = (await index.read(
    {
      name: "retained",
      text: () =>
        `SELECT i.live, 1, g.retained FROM ${tables.idx} i JOIN ${tables.generation} g ON g.number = $2 WHERE i.id = $1`,
    },
    [],
    `Sweeping ${index.name}`,
    "scanner",
  )) as [number, number | null][];
  if (row?.[1] === retainedVersions) return;
  await writer.underLock("Sweeping", 0, async (client, generation, locked) => {
    await locked;
    return {
      result: undefined,
      statements: [
        client.query(`DELETE FROM ${tables.overfull(generation)}`),
        client.query(
          `INSERT INTO ${tables.overfull(generation)} SELECT DISTINCT link FROM ${tables.log(generation)} WHERE version >= $1`,
          [retainedVersions],
        ),
        client.query(`UPDATE ${tables.generation} SET retained = $2 WHERE number = $1`, [
          generation,
          retainedVersions,
        ]),
      ],
    };
  });
}

/** Returns the deletions of documents whose expiry time has passed, and the last row of the walk. */
async function expire(
  { tables }: LiveIndex,
  client: Client,
  generation: number,
  nowMicros: number,
  nextTime: () => number,
): Promise<{ rows: CheckedRow[]; damaged: string[]; last: CheckedRow | undefined }> {
  const log = tables.log(generation);
  const { rows } = await client.query<(string | number | boolean)[]>({
    text: `SELECT ${rowColumns
      .split(", ")
      .map((column) => `l.${column}`)
      .join(
        ", ",
      )}, NOT EXISTS (SELECT 1 FROM ${log} h WHERE h.link = l.link AND h.version > l.version)
      FROM ${tables.generation} g JOIN ${log} l ON l.expires > 0 AND l.expires <= $2 AND (l.expires, l.time) > (g.expiry_expires, g.expiry_time)
      WHERE g.number = $1 ORDER BY l.expires, l.time LIMIT ${limits.compactionRows}`,
    values: [generation, nowMicros],
    rowMode: "array",
  });
  const found = rows as unknown as [...CheckedRow, boolean][];
  const deletions: CheckedRow[] = [];
  const damaged: string[] = [];
  for (const row of found) {
    const [time, link, version, action, kind, owner, expires, body, crc, isLatest] = row;
    if (action === "DELETE" || !isLatest) continue;
    // The deletion copies the body: a flipped bit would get a valid checksum.
    if (logChecksum([time, link, version, action, kind, owner, expires, body]) !== crc)
      damaged.push(link);
    else
      deletions.push(withChecksum([nextTime(), link, version + 1, "DELETE", kind, owner, 0, body]));
  }
  const last = found.at(-1);
  return { rows: deletions, damaged, last: last && (last.slice(0, -1) as CheckedRow) };
}

const moveCursor = (
  { tables }: LiveIndex,
  client: Client,
  generation: number,
  last: CheckedRow | undefined,
) =>
  last === undefined
    ? Promise.resolve()
    : client.query(
        `UPDATE ${tables.generation} SET expiry_expires = $2, expiry_time = $3 WHERE number = $1`,
        [generation, last[6], last[0]],
      );

/** Whether a snapshot is pinned, whose rows must stay. */
async function hasPins(client: Client, { tables, id }: LiveIndex): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM ${tables.pin} WHERE idx = $1 AND until >= ${databaseClock} LIMIT 1`,
    [id],
  );
  return rows.length > 0;
}

/** Returns which versions may go: those beyond the number kept that are older than the history, at most limits.compactionRows. */
async function compactable(
  { tables }: LiveIndex,
  client: Client,
  generation: number,
  cutoff: number,
  retained: number,
): Promise<Compaction[]> {
  const log = tables.log(generation);
  const { rows } = await client.query<Compaction>(
    `SELECT o.link, max(l.version) AS version, min(l.time) AS first, count(*) AS count,
       (SELECT s.time FROM ${log} s WHERE s.link = o.link AND s.version > max(l.version) ORDER BY s.version LIMIT 1) AS until
     FROM ${tables.overfull(generation)} o
     CROSS JOIN LATERAL (SELECT max(version) AS version FROM ${log} WHERE link = o.link) h
     CROSS JOIN LATERAL (SELECT version, time FROM ${log} WHERE link = o.link AND version <= h.version - $1 AND time < $2 ORDER BY version LIMIT ${limits.compactionRows}) l
     GROUP BY o.link LIMIT ${limits.compactionRows}`,
    [retained, cutoff],
  );
  const chosen: Compaction[] = [];
  let count = 0;
  for (const row of rows) {
    // The latest version always stays, so there is one that stays.
    if (row.until === null || (count > 0 && count + row.count > limits.compactionRows)) continue;
    count += row.count;
    chosen.push(row);
  }
  return chosen;
}

async function compact(
  { tables }: LiveIndex,
  client: Client,
  generation: number,
  compactions: readonly Compaction[],
  nextTime: () => number,
): Promise<Promise<unknown>[]> {
  if (compactions.length === 0) return [];
  const [log, prune] = [tables.log(generation), tables.prune(generation)];
  const links = compactions.map(({ link }) => link);
  const versions = compactions.map(({ version }) => version);
  const count = compactions.reduce((sum, one) => sum + one.count, 0);
  const { rows } = await client.query<{ link: string; since: number }>(
    `SELECT link, since FROM ${prune} WHERE link = ANY($1::text[])`,
    [links],
  );
  const before = new Map(rows.map(({ link, since }) => [link, since]));
  const records = compactions.map(({ link, version, first, until }) => {
    const time = nextTime();
    const since = before.get(link) ?? first;
    return [link, time, version, since, until, pruneChecksum(link, time, version, since, until)];
  });
  return [
    client.query(
      `WITH gone AS (DELETE FROM ${log} l USING unnest($1::text[], $2::bigint[]) AS c(link, version) WHERE l.link = c.link AND l.version <= c.version RETURNING l.time, l.action),
         counted AS (SELECT time / ${minuteMicros} AS minute, ${countedActions} FROM gone GROUP BY 1)
       UPDATE ${tables.activity(generation)} a SET created = a.created - c.created, updated = a.updated - c.updated, deleted = a.deleted - c.deleted
       FROM counted AS c (${minuteColumns}) WHERE a.minute = c.minute`,
      [links, versions],
    ),
    client.query(
      `INSERT INTO ${prune} (link, time, version, since, until, crc)
       SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
       ON CONFLICT (link) DO UPDATE SET (time, version, since, until, crc) = (excluded.time, excluded.version, excluded.since, excluded.until, excluded.crc)`,
      Array.from({ length: 6 }, (_, at) => records.map((record) => record[at])),
    ),
    client.query(`UPDATE ${tables.generation} SET versions = versions - $2 WHERE number = $1`, [
      generation,
      count,
    ]),
  ];
}
