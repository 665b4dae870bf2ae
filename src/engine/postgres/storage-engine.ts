import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Platform } from "../../io/platform.js";
import type {
  BuildRequest,
  IndexStorage,
  OpenIndexOptions,
  SharedDatabase,
  StorageEngine,
  TemporaryIndex,
} from "../engine.js";
import { databaseName, type PostgresAddress } from "./connect.js";
import { Lane } from "./lane.js";
import { withClient } from "./transaction.js";
import { PostgresMembership } from "./membership.js";
import { PostgresIndexStorage } from "./postgres-index-storage.js";
import { StateFiles } from "./state-files.js";
import { databaseStatus } from "./status.js";
import { createTables, formatOf, tablesOf, type Tables } from "./tables.js";

/** What the engine is opened with. */
export interface PostgresStorageOptions {
  address: PostgresAddress;
  /** PostgreSQL schema of the deployment: hosts with the same one share its indexes. */
  schema: string;
  /** Tells the hosts of a deployment apart. */
  hostId: string;
  /** Tells hosts with the same id apart: equal after a restart on the same data directory. */
  installation: string;
  /** Release of the host. */
  version: string;
  /** Whether update times are those of the host. Default: those of the database, whose clock all hosts share. */
  ownClock?: boolean;
  /** Receives failures that no caller waits for. */
  onBackgroundError(error: unknown): void;
}

/** The oldest server that the statements are tried with. */
const oldestServer = 150000;

/** Keeps indexes in a PostgreSQL database, which several hosts may share. */
export class PostgresStorageEngine implements StorageEngine {
  private readonly tables: Tables;
  private prepared: Promise<PostgresMembership> | undefined;
  private readonly stateLane: Lane;
  shared: SharedDatabase | undefined;

  private readonly options: PostgresStorageOptions;

  constructor(
    private readonly platform: Pick<Platform, "randomId">,
    options: PostgresStorageOptions,
    /** Builds temporary indexes, which need not be in the database. */
    private readonly temporary: Pick<StorageEngine, "openTemporary">,
  ) {
    // All connections of the host learn of a promotion from each other.
    const address = { ...options.address, learned: { timeline: 0, system: "" } };
    this.options = { ...options, address };
    this.tables = tablesOf(options.schema);
    this.stateLane = new Lane(address, {
      pipeline: true,
      deadlineMs: limits.databaseDeadlineMs,
    });
  }

  async openIndex(options: OpenIndexOptions): Promise<IndexStorage> {
    const membership = await (this.prepared ??= this.prepare());
    const { address, hostId, ownClock = false } = this.options;
    const { randomId } = this.platform;
    return PostgresIndexStorage.open(
      { address, tables: this.tables, hostId, ownClock, randomId, lease: () => membership.lease() },
      options,
    );
  }

  openTemporary(request: BuildRequest & { directory: string }): Promise<TemporaryIndex> {
    return this.temporary.openTemporary(request);
  }

  async close(): Promise<void> {
    const membership = await this.prepared?.catch(() => undefined);
    await this.stateLane.close();
    await membership?.leave();
  }

  /** Checks the server, creates the tables unless they exist, and joins the hosts that use them. CONFIGURATION_INVALID, DATABASE_UNAVAILABLE, HOST_ID_IN_USE. */
  private async prepare(): Promise<PostgresMembership> {
    const { address, hostId, installation, version, onBackgroundError } = this.options;
    const { tables } = this;
    await withServer(address, (client) => createTables(client, tables));
    const membership = await PostgresMembership.enter({
      address,
      tables,
      hostId,
      installation,
      randomId: this.platform.randomId,
      version,
      name: databaseName(address),
      onBackgroundError,
    });
    this.shared = {
      name: databaseName(address),
      schema: tables.schema,
      membership,
      stateFiles: (lease) => new StateFiles(this.stateLane, tables, lease),
      status: () => databaseStatus(address),
    };
    return membership;
  }
}

/** Checks a server, and the format of its tables if it has some. Changes nothing. CONFIGURATION_INVALID, DATABASE_UNAVAILABLE, FORMAT_TOO_NEW. */
export const checkServer = (address: PostgresAddress, schema: string): Promise<void> =>
  withServer(address, async (client) => {
    if ((await formatOf(client, tablesOf(schema))) > 0) return;
    const { rows } = await client.query<{ create: boolean; user: string }>(
      `SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege(oid, 'CREATE')) AS create,
         current_user AS user`,
      [schema],
    );
    const [grants] = rows;
    if (grants?.create) return;
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The user ${grants?.user} may not create the schema ${schema} in the database ${databaseName(address)}. Create it for the user: CREATE SCHEMA ${schema} AUTHORIZATION ${grants?.user}.`,
    );
  });

/** Runs work on a server that can be trusted. */
async function withServer(
  address: PostgresAddress,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const name = databaseName(address);
  await withClient(address, `Opening the database ${name}`, async (client) => {
    await requireRelease(client, name);
    await work(client);
  });
}

/** CONFIGURATION_INVALID for a server that is too old; `connect` refuses those that cannot be trusted. */
async function requireRelease(client: Client, name: string): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::integer AS version",
  );
  if ((rows[0]?.version ?? 0) >= oldestServer) return;
  throw new HostError(
    "CONFIGURATION_INVALID",
    `The database ${name} cannot be used: it is older than PostgreSQL 15. Use a newer one.`,
  );
}
