import { createHash } from "node:crypto";
import type { Client, QueryArrayResult } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { databaseName, type PostgresAddress } from "./connect.js";
import { Lane } from "./lane.js";
import {
  fromPostgres,
  isConnectionLost,
  isPreparationLost,
  isStandby,
  isTableMissing,
} from "./postgres-error.js";
import type { Tables } from "./tables.js";

/** A statement on the tables of a generation; `name` prepares it, and says in the server what it is. */
export interface Statement {
  name?: string;
  text(generation: number): string;
}

/**
 * One index in the database, as a host sees it: its row, and the generation that was live when it last looked. Each
 * statement states the generation it expects, so that a switch by another host is noticed and followed.
 */
export class LiveIndex {
  /** False: a pooler gives each transaction another session, in which nothing is prepared. */
  private prepares = true;
  /** By name and generation. */
  private readonly statements = new Map<string, { name: string; text: string }>();
  /** For messages. */
  readonly name: string;
  private readonly readers: Lane[];
  private readonly scanners: Lane[];

  constructor(
    readonly address: PostgresAddress,
    readonly tables: Tables,
    /** Key of the row of the index. */
    readonly id: number,
    readonly link: string,
    /** The live generation, as last seen. */
    public generation: number,
    /** Its lineage. */
    public lineage: string,
  ) {
    this.name = `${link} in ${databaseName(address)}`;
    const deadlineMs = limits.databaseDeadlineMs;
    this.readers = Array.from(
      { length: limits.databaseReaders },
      () => new Lane(address, { pipeline: true, deadlineMs }),
    );
    // A query over everything may take long.
    this.scanners = Array.from(
      { length: limits.databaseScanners },
      () => new Lane(address, { pipeline: true }),
    );
  }

  /**
   * Returns a statement for the driver. Through a pooler, sessions are shared with others: the name of a prepared
   * statement is that of its text, so that a session that has the name has this statement.
   */
  prepared({ name, text }: Statement, generation: number): { name?: string; text: string } {
    if (name === undefined) return { text: text(generation) };
    const key = `${name}-${generation}`;
    let found = this.statements.get(key);
    if (!found) {
      const built = text(generation);
      const digest = createHash("sha256").update(built).digest("base64url").slice(0, 16);
      found = { name: `${key} ${digest}`, text: built };
      // Those of generations that were replaced.
      if (this.statements.size >= limits.databaseStatements) this.statements.clear();
      this.statements.set(key, found);
    }
    return this.prepares ? found : { text: found.text };
  }

  /** Whether an error says that prepared statements do not work here. The statement can be repeated, without. */
  isUnprepared(thrown: unknown): boolean {
    if (!isPreparationLost(thrown)) return false;
    this.prepares = false;
    return true;
  }

  /**
   * Runs a statement that reads the live generation, in a consistent state. The first column of each row must be the
   * live generation. Returns the other columns; without rows of its own, a statement returns one of nulls, which is left out.
   */
  read(
    statement: Statement,
    values: readonly unknown[],
    what: string,
    by: "reader" | "scanner" = "reader",
  ): Promise<unknown[][]> {
    return this.retried(what, by, async (client) => {
      const expected = this.generation;
      const result: QueryArrayResult<unknown[]> = await client.query({
        ...this.prepared(statement, expected),
        values: [this.id, expected, ...values],
        rowMode: "array",
      });
      const live = result.rows[0]?.[0];
      if (live !== expected) return this.adopt(client);
      return result.rows.filter((row) => row[1] !== null).map((row) => row.slice(1));
    });
  }

  /** Runs one statement that changes a row and may be repeated, and returns the rows that it returns. */
  change<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.retried(`Changing ${this.name}`, "reader", async (client) => {
      const { rows } = await client.query<Row>(text, [...values]);
      return rows;
    });
  }

  /** Waits for the calls under way. */
  async close(): Promise<void> {
    await Promise.all([...this.readers, ...this.scanners].map((lane) => lane.close()));
  }

  /** Looks up the live generation. */
  async adopt(client: Client): Promise<undefined> {
    const { idx, generation } = this.tables;
    const { rows } = await client.query<{ live: number; lineage: string }>(
      `SELECT i.live, g.lineage FROM ${idx} i JOIN ${generation} g ON g.number = i.live WHERE i.id = $1`,
      [this.id],
    );
    if (rows[0] === undefined)
      throw new HostError(
        "INDEX_DAMAGED",
        `The index ${this.name} is no longer in the database. Restore it from a backup.`,
      );
    this.generation = rows[0].live;
    this.lineage = rows[0].lineage;
    return undefined;
  }

  /** Repeats work that returned nothing because another generation became live, or that lost its connection. */
  private async retried<T>(
    what: string,
    by: "reader" | "scanner",
    work: (client: Client) => Promise<T | undefined>,
  ): Promise<T> {
    for (let left: number = limits.databaseReadAttempts; ; left -= 1) {
      try {
        const done = await leastUsed(by === "reader" ? this.readers : this.scanners).use(
          async (client) => {
            try {
              return await work(client);
            } catch (thrown) {
              // The generation was replaced twice, and removed.
              if (!isTableMissing(thrown) || left === 0) throw thrown;
              return this.adopt(client);
            }
          },
        );
        if (done !== undefined) return done;
        if (left > 0) continue;
        throw new HostError(
          "INDEX_SWITCHED",
          `${this.link} was restored again and again during the read. Try again.`,
        );
      } catch (thrown) {
        if (
          left > 0 &&
          (isConnectionLost(thrown) || isStandby(thrown) || this.isUnprepared(thrown))
        )
          continue;
        throw fromPostgres(thrown, what);
      }
    }
  }
}

function leastUsed(lanes: readonly Lane[]): Lane {
  const [first, ...others] = lanes;
  if (first === undefined) throw new HostError("INTERNAL", "There is no connection.");
  return others.reduce((least, lane) => (lane.users < least.users ? lane : least), first);
}
