import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { runInChild } from "../../io/child-process.js";
import type {
  BuildRequest,
  BuildResult,
  Engine,
  GenerationRef,
  IndexIdentity,
  IndexStorage,
  Lease,
  OpenIndexOptions,
  StoredGeneration,
} from "../engine.js";
import type { BuildAnswer, BuildCall, BuildProgress } from "./build-process.js";
import { createEmptyGeneration } from "./build.js";
import type { PostgresAddress } from "./connect.js";
import { inTransaction, withClient } from "./transaction.js";
import { LiveIndex } from "./live-index.js";
import { PostgresEngine, type PostgresEngineOptions } from "./postgres-engine.js";
import { leads, notLeader } from "./lease.js";
import { databaseClock, dropGeneration, type Tables } from "./tables.js";

/** Where an index is, and who opens it. */
export interface PostgresIndexOptions {
  address: PostgresAddress;
  tables: Tables;
  hostId: string;
  ownClock?: boolean;
  /** The lease of this host while it leads. */
  lease(): Lease | undefined;
  /** Returns a random identifier. */
  randomId(): string;
}

/** The row of an index. */
interface IndexRow {
  id: number;
  index_id: string;
  live: number;
  previous: number | null;
}

/** The generations of one index, in tables of their own. */
export class PostgresIndexStorage implements IndexStorage {
  private constructor(
    private readonly options: PostgresIndexOptions,
    private readonly index: OpenIndexOptions,
    private readonly id: number,
    readonly indexId: string,
  ) {}

  /** Creates the index, empty, unless it exists. */
  static async open(
    options: PostgresIndexOptions,
    index: OpenIndexOptions,
  ): Promise<PostgresIndexStorage> {
    const { address, tables, hostId, randomId } = options;
    const row = await withClient(address, `Opening ${index.link}`, (client) =>
      inTransaction(client, async () => {
        const found = await rowOf(client, tables, index.link);
        if (found) return found;
        const indexId = index.indexId ?? randomId();
        const generation = await nextNumber(client, tables);
        // Another host may create it at the same time: its transaction is waited for.
        const { rows } = await client.query<IndexRow>(
          `INSERT INTO ${tables.idx} (link, index_id, live, last) VALUES ($1, $2, $3, 0)
           ON CONFLICT (link) DO NOTHING RETURNING id, index_id, live, previous`,
          [index.link, indexId, generation],
        );
        const [created] = rows;
        if (!created) return requireRow(client, tables, index.link);
        const identity = { indexId, lineage: randomId(), parents: [] };
        await createEmptyGeneration(client, tables, {
          index: created.id,
          generation,
          builder: hostId,
          identity,
        });
        return created;
      }),
    );
    return new PostgresIndexStorage(options, index, row.id, row.index_id);
  }

  async openLive(): Promise<Engine> {
    const { tables } = this.options;
    return this.use("Opening", async (client) => {
      const { live } = await requireRow(client, tables, this.index.link);
      return this.engineOf(client, live);
    });
  }

  async removeLeftovers(): Promise<void> {
    // Those that other hosts build may be about to become live.
    await this.dropOthers("g.was_live OR g.builder = $2", [this.options.hostId]);
  }

  async build({
    signal,
    onProgress,
    ...request
  }: BuildRequest): Promise<BuildResult & { ref: GenerationRef }> {
    const { address, tables, hostId } = this.options;
    const generation = await this.use("Restoring", (client) => nextNumber(client, tables));
    const task = {
      address,
      schema: tables.schema,
      index: this.id,
      generation,
      builder: hostId,
      ...request,
    };
    const built = await runInChild<BuildCall, BuildAnswer, BuildProgress>(
      "engine/postgres/build-process",
      { kind: "build", task },
      { signal, onProgress: ({ stage, rows }) => onProgress?.(stage, rows) },
    );
    return { ...(built as BuildResult), ref: String(generation) as GenerationRef };
  }

  async previous(): Promise<StoredGeneration | undefined> {
    const { tables } = this.options;
    return this.use("Reading", async (client) => {
      const { previous } = await requireRow(client, tables, this.index.link);
      if (previous === null) return undefined;
      const { rows } = await client.query<{ lineage: string; parents: string; position: number }>(
        `SELECT lineage, parents, greatest((SELECT max(time) FROM ${tables.log(previous)}), (SELECT max(time) FROM ${tables.prune(previous)}), 0) AS position
         FROM ${tables.generation} WHERE number = $1`,
        [previous],
      );
      const [row] = rows;
      if (!row) return undefined;
      return {
        ref: String(previous) as GenerationRef,
        indexId: this.indexId,
        lineage: row.lineage,
        parents: JSON.parse(row.parents) as IndexIdentity["parents"],
        positionMicros: row.position,
      };
    });
  }

  async relabel(ref: GenerationRef, { lineage, parents }: IndexIdentity): Promise<void> {
    const { tables } = this.options;
    await this.use("Restoring", async (client) => {
      const { rowCount } = await client.query(
        `UPDATE ${tables.generation} SET lineage = $4, parents = $5 WHERE number = $3 AND idx = $6
           AND number <> (SELECT live FROM ${tables.idx} WHERE id = $6) AND ${leads(tables)}`,
        [...this.leaseValues(), Number(ref), lineage, JSON.stringify(parents), this.id],
      );
      if (rowCount !== 1) throw notLeader();
    });
  }

  async switchTo(ref: GenerationRef, minTimeMicros: number): Promise<Engine> {
    const generation = Number(ref);
    const engine = await this.use("Restoring", (client) => this.engineOf(client, generation));
    try {
      await this.switchRow(generation, minTimeMicros);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  private async switchRow(generation: number, minTimeMicros: number): Promise<void> {
    const { tables, hostId } = this.options;
    const attempt = (client: Client) =>
      inTransaction(client, async () => {
        // Only the leader that fenced the index switches it, and only to a generation that is complete.
        const { rowCount } = await client.query(
          `WITH replaced AS (UPDATE ${tables.generation} SET was_live = true WHERE idx = $3 AND number = (SELECT live FROM ${tables.idx} WHERE id = $3))
           UPDATE ${tables.idx} i SET previous = live, live = $4, last = greatest(last, $5), fence = NULL, fence_until = 0
           WHERE id = $3 AND fence = $6 AND fence_until >= ${databaseClock} AND live <> $4
             AND EXISTS (SELECT 1 FROM ${tables.generation} g WHERE g.number = $4 AND g.idx = i.id) AND ${leads(tables)}`,
          [...this.leaseValues(), this.id, generation, minTimeMicros, hostId],
        );
        if (rowCount !== 1)
          throw new HostError(
            "INDEX_DAMAGED",
            `${this.index.link} was not switched: the restored generation is no longer in the database, the switch took longer than the fence, or another host leads. Nothing was changed. Restore again.`,
          );
      });
    try {
      await this.use("Restoring", attempt);
    } catch (thrown) {
      const { reason } = HostError.from(thrown);
      // The connection was lost during the commit, or the wait for a standby was cancelled.
      if (reason !== "DATABASE_UNAVAILABLE" && reason !== "OUTCOME_UNKNOWN") throw thrown;
      if (!(await this.isLive(generation))) throw thrown;
    }
  }

  /** Looks whether a switch was committed: a commit of our own waits for a standby, which then has the switch too. OUTCOME_UNKNOWN. */
  private async isLive(generation: number): Promise<boolean> {
    const { tables } = this.options;
    const giveUpAt = performance.now() + limits.databaseRetryMs;
    for (;;) {
      try {
        return await this.use("Restoring", (client) =>
          inTransaction(client, async () => {
            // The lock of the row waits for a transaction under way.
            const { rows } = await client.query<{ live: number }>(
              `UPDATE ${tables.idx} SET last = last WHERE id = $1 RETURNING live`,
              [this.id],
            );
            return rows[0]?.live === generation;
          }),
        );
      } catch (cause) {
        if (performance.now() > giveUpAt)
          throw new HostError(
            "OUTCOME_UNKNOWN",
            `${this.index.link}: the connection was lost during the switch, and the database could not be asked since. Look at the documents before you restore again.`,
            { cause },
          );
        await sleep(limits.databaseRetryMaxMs);
      }
    }
  }

  async discard(ref: GenerationRef): Promise<void> {
    const { tables } = this.options;
    await this.use("Restoring", async (client) => {
      const { live, previous } = await requireRow(client, tables, this.index.link);
      const generation = Number(ref);
      if (generation !== live && generation !== previous) await this.drop(client, generation);
    });
  }

  async discardReplaced(): Promise<void> {
    await this.dropOthers("g.was_live", []);
  }

  /** Removes generations that a condition selects, except the live and the previous one. */
  private async dropOthers(condition: string, values: readonly string[]): Promise<void> {
    const { tables } = this.options;
    await this.use("Removing earlier generations of", async (client) => {
      const { rows } = await client.query<{ number: number }>(
        `SELECT g.number FROM ${tables.generation} g JOIN ${tables.idx} i ON i.id = g.idx
         WHERE g.idx = $1 AND (${condition}) AND g.number <> i.live AND g.number IS DISTINCT FROM i.previous`,
        [this.id, ...values],
      );
      for (const { number } of rows) await this.drop(client, number);
    });
  }

  private async engineOf(client: Client, generation: number): Promise<Engine> {
    const { address, tables, hostId, ownClock = false } = this.options;
    const { rows } = await client.query<{ lineage: string }>(
      `SELECT lineage FROM ${tables.generation} WHERE number = $1`,
      [generation],
    );
    const lineage = rows[0]?.lineage ?? "";
    const { link, nowMicros, retainedVersions, historyMicros } = this.index;
    const options: PostgresEngineOptions = {
      leaseValues: () => this.leaseValues(),
      indexId: this.indexId,
      hostId,
      ownClock,
      nowMicros,
      retainedVersions,
      historyMicros,
    };
    const live = new LiveIndex(address, tables, this.id, link, generation, lineage);
    return new PostgresEngine(live, options);
  }

  /** A pinned generation stays: a backup of another host may read it. */
  private async drop(client: Client, generation: number): Promise<void> {
    const { tables } = this.options;
    const { rows } = await client.query(
      `SELECT 1 FROM ${tables.pin} WHERE generation = $1 AND until >= ${databaseClock} LIMIT 1`,
      [generation],
    );
    if (rows.length > 0) return;
    await inTransaction(client, async () => {
      await client.query(dropGeneration(tables, generation));
      await client.query(`DELETE FROM ${tables.generation} WHERE number = $1`, [generation]);
    });
  }

  /** Of the lease, which has no such values if this host does not lead. */
  private leaseValues(): [term: number, run: string] {
    const { term = 0, run = "" } = this.options.lease() ?? {};
    return [term, run];
  }

  private use<T>(what: string, work: (client: Client) => Promise<T>): Promise<T> {
    const { address } = this.options;
    const deadlineMs = limits.databaseDeadlineMs;
    return withClient(address, `${what} ${this.index.link}`, work, { deadlineMs });
  }
}

async function rowOf(client: Client, { idx }: Tables, link: string): Promise<IndexRow | undefined> {
  const { rows } = await client.query<IndexRow>(
    `SELECT id, index_id, live, previous FROM ${idx} WHERE link = $1`,
    [link],
  );
  return rows[0];
}

async function requireRow(client: Client, tables: Tables, link: string): Promise<IndexRow> {
  const row = await rowOf(client, tables, link);
  if (row) return row;
  throw new HostError(
    "INDEX_DAMAGED",
    `The index ${link} is no longer in the database. Restore it from a backup.`,
  );
}

async function nextNumber(client: Client, { generationNumber }: Tables): Promise<number> {
  const { rows } = await client.query<{ number: number }>(
    `SELECT nextval('${generationNumber}') AS number`,
  );
  const [row] = rows;
  if (!row) throw new HostError("INTERNAL", "The database returned no number.");
  return row.number;
}
