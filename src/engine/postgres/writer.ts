import type { Client } from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { applyWrite, needsBody } from "../../document/apply-write.js";
import type { DocumentWrite } from "../../document/document.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { checkedVersion, withChecksum, type CheckedRow, type LogRow } from "../../segment/row.js";
import { minuteColumns, MinuteCounter } from "../activity.js";
import { checkedTime, restoring } from "../engine-errors.js";
import type { WriteOutcome } from "../write-queue.js";
import { Lane } from "./lane.js";
import type { LiveIndex } from "./live-index.js";
import { fromPostgres, isConflict, isConnectionLost, isStandby } from "./postgres-error.js";
import { databaseClock, rowColumns } from "./tables.js";
import { begin, commit, maybeLost, withSettings } from "./transaction.js";

/** The latest version of a document, as the writer reads it. */
interface Head {
  link: string;
  time: number;
  version: number;
  action: string;
  kind: string;
  owner: string;
  expires: number;
  crc: number;
  /** Null if the write does not need it. */
  body: string | null;
}

/** What a transaction under the lock of the index knows. */
export interface Locked {
  client: Client;
  /** The live generation. */
  generation: number;
  /** The greatest update time that is taken, those of this transaction included. */
  last: number;
}

/** What a transaction has sent and not waited for. */
export interface Sent<T> {
  result: T;
  /** Statements that are under way. None: nothing is committed. */
  statements: Promise<unknown>[];
  /** A row that is inserted, by which an unknown outcome is resolved. Absent: the transaction may be repeated. */
  row?: CheckedRow | undefined;
}

/** How an attempt ended. */
type Attempt<T> =
  | { sent: Sent<T> }
  /** Another generation is live now. */
  | "switched"
  /** The connection was lost during the commit. */
  | { sent: Sent<T>; generation: number; lost: unknown };

/** Options of a PostgresWriter. */
export interface PostgresWriterOptions {
  /** Clock of tests. Default: that of the database. */
  nowMicros?: (() => number) | undefined;
  /** Versions of a document that are kept; further ones may be compacted. */
  retainedVersions: number;
}

/**
 * Writes one index. The lock of its row orders the writers of all hosts: update times are taken under it, and it is
 * released when the transaction is visible, so that the order of commits is that of the times.
 */
export class PostgresWriter {
  private readonly lane: Lane;
  /** Settles with the last transaction. */
  private before: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly index: LiveIndex,
    private readonly options: PostgresWriterOptions,
  ) {
    this.lane = new Lane(index.address, {
      pipeline: true,
      deadlineMs: limits.databaseDeadlineMs,
    });
  }

  /**
   * Commits writes as one transaction, of which the first arrived at `sinceMs` (performance.now). A refused write does
   * not affect the others. INDEX_RESTORING.
   */
  commit(writes: readonly DocumentWrite[], sinceMs: number): Promise<WriteOutcome<LogRow>[]> {
    return this.underLock(
      "Writing to",
      writes.length,
      async (client, generation, locked) => {
        const heads = this.heads(client, generation, writes);
        const [{ last }, { rows }] = await both(locked, heads);
        return this.apply({ client, generation, last }, writes, rows);
      },
      sinceMs,
    );
  }

  /**
   * Runs a transaction under the lock of the index, which takes `count` update times; `locked` resolves when it has
   * them. Repeats it after conflicts and lost connections, until limits.databaseRetryMs after `sinceMs`. `what` names
   * the activity.
   * INDEX_RESTORING, OUTCOME_UNKNOWN, DATABASE_UNAVAILABLE, STORAGE_FULL.
   */
  async underLock<T>(
    what: string,
    count: number,
    work: (
      client: Client,
      generation: number,
      locked: Promise<{ last: number }>,
    ) => Promise<Sent<T>>,
    sinceMs = performance.now(),
  ): Promise<T> {
    const giveUpAt = sinceMs + limits.databaseRetryMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const ended = await this.alone((client) => this.attempt(client, count, work));
        if (ended === "switched") continue;
        if (!("lost" in ended) || (await this.isCommitted(what, ended, giveUpAt)))
          return ended.sent.result;
      } catch (thrown) {
        const mayRetry =
          isConflict(thrown) ||
          isConnectionLost(thrown) ||
          isStandby(thrown) ||
          this.index.isUnprepared(thrown);
        if (!mayRetry || performance.now() > giveUpAt)
          throw fromPostgres(thrown, `${what} ${this.index.name}`);
      }
      await sleep(Math.random() * Math.min(limits.databaseRetryMaxMs, 10 * 2 ** attempt));
    }
  }

  close(): Promise<void> {
    return this.lane.close();
  }

  /** Runs a transaction when those before have ended: statements of two on one connection would be of one. */
  private alone<T>(transaction: (client: Client) => Promise<T>): Promise<T> {
    const done = this.before.then(() => this.lane.use(transaction));
    this.before = done.catch(() => {});
    return done;
  }

  /** One attempt. Rejects with the error of the driver if nothing was committed. */
  private async attempt<T>(
    client: Client,
    count: number,
    work: Parameters<typeof this.underLock<T>>[2],
  ): Promise<Attempt<T>> {
    const { generation } = this.index;
    const begun = client.query("BEGIN");
    const locked = this.lock(client, generation, count);
    try {
      const [, sent] = await both(begun, work(client, generation, locked));
      if (sent.statements.length === 0) {
        await client.query("ROLLBACK");
        return { sent };
      }
      const lost = await this.finish(client, sent);
      return lost === undefined ? { sent } : { sent, generation, lost };
    } catch (thrown) {
      await client.query("ROLLBACK").catch(() => {});
      if (!(thrown instanceof HostError) || thrown.reason !== "INDEX_SWITCHED") throw thrown;
      await this.requireUnfenced(client);
      await this.index.adopt(client);
      return "switched";
    }
  }

  /** Takes the lock and `count` update times. INDEX_SWITCHED if another generation is live, or the index is fenced. */
  private async lock(client: Client, generation: number, count: number): Promise<{ last: number }> {
    const { nowMicros } = this.options;
    const clock = nowMicros ? "$4::bigint" : databaseClock;
    const { rows } = await client.query<{ last: number }>({
      ...this.index.prepared(
        {
          name: nowMicros ? "lock-test" : "lock",
          text: () =>
            `UPDATE ${this.index.tables.idx} SET last = greatest(last + $3::bigint, ${clock} + greatest($3::bigint - 1, 0))
             WHERE id = $1 AND live = $2 AND fence_until < ${databaseClock} AND ${withSettings} RETURNING last`,
        },
        generation,
      ),
      values: [this.index.id, generation, count, ...(nowMicros ? [nowMicros()] : [])],
    });
    const [row] = rows;
    if (row === undefined)
      throw new HostError("INDEX_SWITCHED", `${this.index.link} has another live generation.`);
    checkedTime(row.last);
    return row;
  }

  private async requireUnfenced(client: Client): Promise<void> {
    const { rows } = await client.query(
      `SELECT 1 FROM ${this.index.tables.idx} WHERE id = $1 AND fence_until >= ${databaseClock}`,
      [this.index.id],
    );
    if (rows.length > 0) throw restoring(this.index.link);
  }

  /** Reads the latest versions of the documents of a batch, with their bodies where the writes need them. */
  private heads(client: Client, generation: number, writes: readonly DocumentWrite[]) {
    const wanted = new Map<string, boolean>();
    for (const write of writes)
      wanted.set(write.link, (wanted.get(write.link) ?? false) || needsBody(write));
    return client.query<Head>({
      ...this.index.prepared(
        {
          name: "heads",
          text: (
            live,
          ) => `SELECT h.link, h.time, h.version, h.action, h.kind, h.owner, h.expires, h.crc, CASE WHEN k.body THEN h.body END AS body
        FROM unnest($1::text[], $2::boolean[]) AS k(link, body) CROSS JOIN LATERAL
        (SELECT * FROM ${this.index.tables.log(live)} l WHERE l.link = k.link ORDER BY l.version DESC LIMIT 1) h`,
        },
        generation,
      ),
      values: [[...wanted.keys()], [...wanted.values()]],
    });
  }

  /** Sends the rows of the writes that are not refused. */
  private apply(
    { client, generation, last }: Locked,
    writes: readonly DocumentWrite[],
    heads: readonly Head[],
  ): Sent<WriteOutcome<LogRow>[]> {
    const current = new Map(heads.map((head) => [head.link, { ...head, body: head.body ?? "" }]));
    const rows: CheckedRow[] = [];
    let documents = 0;
    const outcomes = writes.map((write): WriteOutcome<LogRow> => {
      try {
        const next = applyWrite(write, current.get(write.link), verifyHead);
        if (!next) return { nothing: true };
        const { link, version, action, kind, owner, expires, body } = next;
        const time = last - writes.length + 1 + rows.length;
        const row: LogRow = [time, link, version, action, kind, owner, expires, body];
        const checked = withChecksum(row);
        // Not by a spread, which takes as long as all else here.
        const crc = checked[8];
        current.set(link, { link, time, version, action, kind, owner, expires, body, crc });
        documents += next.documents;
        rows.push(checked);
        return { row };
      } catch (thrown) {
        if (thrown instanceof HostError) return { error: thrown.toRecord() };
        throw thrown;
      }
    });
    return {
      result: outcomes,
      statements: rows.length === 0 ? [] : this.insert(client, generation, rows, documents),
      row: rows[0],
    };
  }

  /** Sends rows and the counts that they change. */
  insert(
    client: Client,
    generation: number,
    rows: readonly CheckedRow[],
    documents: number,
  ): Promise<unknown>[] {
    const { tables } = this.index;
    const columns = Array.from({ length: 9 }, (_, at) => rows.map((row) => row[at]));
    const counter = new MinuteCounter();
    for (const row of rows) counter.note(row[0], row[3]);
    const minutes = counter.take();
    const expiring = rows.map((row) => row[6]).filter((expires) => expires > 0);
    const overfull = rows.filter((row) => row[2] >= this.options.retainedVersions);
    return [
      client.query({
        ...this.index.prepared(
          {
            name: "insert",
            // A row that expires before the position of the walk through expiry times moves it back.
            text: (
              live,
            ) => `WITH counts AS (UPDATE ${tables.generation} SET documents = documents + $10, versions = versions + $11,
            expiry_time = CASE WHEN $12::bigint <= expiry_expires THEN 0 ELSE expiry_time END,
            expiry_expires = least(expiry_expires, $12::bigint - 1) WHERE number = $13),
          minutes AS (INSERT INTO ${tables.activity(live)} AS a (${minuteColumns})
            SELECT * FROM unnest($14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])
            ON CONFLICT (minute) DO UPDATE SET created = a.created + excluded.created, updated = a.updated + excluded.updated, deleted = a.deleted + excluded.deleted)
          INSERT INTO ${tables.log(live)} (${rowColumns})
          SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[])`,
          },
          generation,
        ),
        values: [
          ...columns,
          documents,
          rows.length,
          expiring.length === 0 ? Number.MAX_SAFE_INTEGER : Math.min(...expiring),
          generation,
          ...Array.from({ length: 4 }, (_, at) => minutes.map((one) => one[at])),
        ],
      }),
      ...(overfull.length === 0
        ? []
        : [
            client.query({
              text: `INSERT INTO ${tables.overfull(generation)} SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING`,
              values: [overfull.map((row) => row[1])],
            }),
          ]),
    ];
  }

  /** Commits. Resolves with the error of a connection that was lost, after which only the database knows whether it did. */
  private async finish<T>(client: Client, sent: Sent<T>): Promise<unknown> {
    const committed = commit(client);
    const results = await Promise.allSettled([...sent.statements, committed]);
    const failures = results.flatMap((one) =>
      one.status === "rejected" ? [one.reason as unknown] : [],
    );
    const lost = failures.find((one) => isConnectionLost(one));
    if (lost !== undefined) return lost;
    if (failures.length > 0) throw failures[0];
    const { notReplicated } = await committed;
    if (notReplicated !== undefined)
      throw maybeLost(`Writing to ${this.index.name}`, notReplicated);
    return undefined;
  }

  /** Looks whether a transaction was committed: all of it, or nothing. OUTCOME_UNKNOWN. */
  private async isCommitted<T>(
    what: string,
    { generation, sent: { row }, lost }: { generation: number; sent: Sent<T>; lost: unknown },
    giveUpAt: number,
  ): Promise<boolean> {
    if (row === undefined) return false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.alone(async (client) => {
          // The transaction ends, one way or the other, before its lock can be taken.
          await client.query(begin());
          await client.query(`UPDATE ${this.index.tables.idx} SET last = last WHERE id = $1`, [
            this.index.id,
          ]);
          const { rows } = await client.query(
            `SELECT 1 FROM ${this.index.tables.log(generation)} WHERE time = $1 AND link = $2 AND version = $3 AND crc = $4`,
            [row[0], row[1], row[2], row[8]],
          );
          // A commit of our own waits for a standby, which then has the earlier one too.
          const { notReplicated } = await commit(client);
          if (rows.length > 0 && notReplicated !== undefined)
            throw maybeLost(`${what} ${this.index.name}`, notReplicated);
          return rows.length > 0;
        });
      } catch (thrown) {
        if (thrown instanceof HostError && thrown.reason === "OUTCOME_UNKNOWN") throw thrown;
        if (performance.now() > giveUpAt)
          throw new HostError(
            "OUTCOME_UNKNOWN",
            `${what} ${this.index.name}: the commit was not confirmed, and the database could not be asked since. A commit that waits for a synchronous standby is confirmed when one is back: check the replication. Read the document before you write it again.`,
            { cause: lost },
          );
        await sleep(Math.random() * Math.min(limits.databaseRetryMaxMs, 10 * 2 ** attempt));
      }
    }
  }
}

/** Waits for both, so that no rejection is left unhandled. Rejects with the first error. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [one, other] = await Promise.allSettled([first, second]);
  if (one.status === "rejected") throw one.reason;
  if (other.status === "rejected") throw other.reason;
  return [one.value, other.value];
}

function verifyHead(head: Omit<Head, "body"> & { body: string }): void {
  const { time, link, version, action, kind, owner, expires, body, crc } = head;
  checkedVersion([time, link, version, action, kind, owner, expires, body], crc);
}
