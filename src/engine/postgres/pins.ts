import { randomUUID } from "node:crypto";
import { limits } from "../../limits.js";
import type { LiveIndex } from "./live-index.js";
import { databaseClock } from "./tables.js";
import type { PostgresWriter } from "./writer.js";

/** A snapshot that keeps the rows of its generation. */
export interface Pin {
  wallTimeMicros: number;
  release(): Promise<void>;
}

/** The pins of a host. Each is a row that ends by itself if its host vanishes; a host renews its own. */
export class Pins {
  private readonly held = new Set<string>();
  private renewing: NodeJS.Timeout | undefined;

  constructor(
    private readonly index: LiveIndex,
    private readonly writer: PostgresWriter,
    private readonly hostId: string,
  ) {}

  /** Pins the log at its position: later writes on any host get later times than the pin. */
  async add(): Promise<Pin> {
    const id = randomUUID();
    const { tables } = this.index;
    const wallTimeMicros = await this.writer.underLock(
      "Pinning a snapshot of",
      0,
      async (client, generation, locked) => {
        const { last } = await locked;
        return {
          result: last,
          statements: [
            client.query(
              `INSERT INTO ${tables.pin} (id, idx, generation, host, until) VALUES ($1, $2, $3, $4, ${databaseClock} + $5)`,
              [id, this.index.id, generation, this.hostId, limits.databasePinMs * 1000],
            ),
          ],
        };
      },
    );
    this.held.add(id);
    this.renewing ??= setInterval(() => void this.renew(), limits.databasePinMs / 3).unref();
    return { wallTimeMicros, release: () => this.release(id) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.held].map((id) => this.release(id)));
    clearInterval(this.renewing);
  }

  private async release(id: string): Promise<void> {
    if (!this.held.delete(id)) return;
    if (this.held.size === 0) {
      clearInterval(this.renewing);
      this.renewing = undefined;
    }
    // One that stays ends by itself.
    await this.index
      .change(`DELETE FROM ${this.index.tables.pin} WHERE id = $1`, [id])
      .catch(() => {});
  }

  private async renew(): Promise<void> {
    await this.index
      .change(
        `UPDATE ${this.index.tables.pin} SET until = ${databaseClock} + $2 WHERE id = ANY($1::text[])`,
        [[...this.held], limits.databasePinMs * 1000],
      )
      .catch(() => {});
  }
}
