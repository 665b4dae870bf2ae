import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { PostgresAddress } from "./connect.js";
import { Lane } from "./lane.js";
import { fromPostgres } from "./postgres-error.js";
import { databaseClock, type Tables } from "./tables.js";

/** Options of Presence.enter. */
interface PresenceOptions {
  address: PostgresAddress;
  tables: Tables;
  hostId: string;
  /** For messages. */
  name: string;
  /** Receives failures to renew the presence, which is tried again. */
  onBackgroundError(error: unknown): void;
}

/**
 * The claim of a host to the indexes of a deployment, which one host uses at a time: a row that it renews, and that
 * ends by itself if the host vanishes. The log is safe without it, by the lock of the index and the guard of the
 * generation; what a host keeps in its data directory, such as operations and policies, is not shared.
 */
export class Presence {
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly options: PresenceOptions,
    private readonly lane: Lane,
  ) {
    this.timer = setInterval(() => void this.renew(), limits.databasePinMs / 3).unref();
  }

  /** Claims the deployment. DATABASE_IN_USE while another host has it. */
  static async enter(options: PresenceOptions): Promise<Presence> {
    const { address, tables, hostId, name } = options;
    const lane = new Lane(address, false);
    try {
      await lane.use(async (client) => {
        // One row, whose lock orders hosts that start at once.
        const { rows } = await client.query<{ host: string }>(
          `INSERT INTO ${tables.host} (slot, id, until) VALUES (1, $1, ${databaseClock} + $2)
           ON CONFLICT (slot) DO UPDATE SET id = $1, until = ${databaseClock} + $2
             WHERE ${tables.host}.id = $1 OR ${tables.host}.until < ${databaseClock} RETURNING id`,
          [hostId, limits.databasePinMs * 1000],
        );
        if (rows.length > 0) return;
        throw new HostError(
          "DATABASE_IN_USE",
          `Another host uses the schema ${tables.schema} of the database ${name}. Stop it first; if it was killed, its claim ends within ${limits.databasePinMs / 1000} s.`,
        );
      });
      return new Presence(options, lane);
    } catch (thrown) {
      await lane.close();
      throw fromPostgres(thrown, `Opening the database ${name}`);
    }
  }

  async leave(): Promise<void> {
    clearInterval(this.timer);
    const { tables, hostId } = this.options;
    // One that stays ends by itself.
    await this.lane
      .use((client) => client.query(`DELETE FROM ${tables.host} WHERE id = $1`, [hostId]))
      .catch(() => {});
    await this.lane.close();
  }

  private async renew(): Promise<void> {
    const { tables, hostId, name, onBackgroundError } = this.options;
    try {
      await this.lane.use((client) =>
        client.query(`UPDATE ${tables.host} SET until = ${databaseClock} + $2 WHERE id = $1`, [
          hostId,
          limits.databasePinMs * 1000,
        ]),
      );
    } catch (thrown) {
      onBackgroundError(fromPostgres(thrown, `Renewing the claim to ${name}`));
    }
  }
}
