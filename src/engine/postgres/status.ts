import type { DatabaseStatus } from "../engine.js";
import { databaseName, type PostgresAddress } from "./connect.js";
import { withClient } from "./transaction.js";

/** Reads the facts of a server that its operators look for. DATABASE_UNAVAILABLE. */
export function databaseStatus(address: PostgresAddress): Promise<DatabaseStatus> {
  return withClient(address, `Reading the status of ${databaseName(address)}`, async (client) => {
    const { rows: settings } = await client.query<{ version: string; synchronous: boolean }>(
      `SELECT current_setting('server_version') AS version,
         current_setting('synchronous_standby_names') <> '' AS synchronous`,
    );
    // Columns are null for a user who may not see them.
    const { rows: standbys } = await client.query<{
      name: string | null;
      mode: string | null;
      state: string | null;
      lag: number | null;
    }>(
      `SELECT application_name AS name, sync_state AS mode, state,
         pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint AS lag
       FROM pg_stat_replication ORDER BY application_name`,
    );
    return {
      version: settings[0]?.version ?? "",
      isSynchronous: settings[0]?.synchronous ?? false,
      standbys: standbys.map((one) => ({
        name: one.name ?? "",
        mode: one.mode ?? "",
        state: one.state ?? "",
        ...(one.lag !== null && { lagBytes: one.lag }),
      })),
    };
  });
}
