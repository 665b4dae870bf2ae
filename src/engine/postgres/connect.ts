import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { isConnectionLost } from "./postgres-error.js";
import { parseDatabaseUrl } from "./url.js";

/** Where the database is. Secret: the URL may contain a password. */
export interface PostgresAddress {
  /** See parseDatabaseUrl: the servers are tried until one is a primary. */
  url: string;
  /** Verifies the certificate of the server; its name must be the host of the URL. Default: as `sslmode` of the URL says. */
  tls?: { ca?: string; cert?: string; key?: string } | undefined;
  /** What the connections of a host have learned. Default: they are independent. */
  learned?: LearnedPrimary;
}

/** The newest primary that a host has used. */
export interface LearnedPrimary {
  /** It rises when a standby is promoted, so that an old primary has a lower one. 0: none yet. */
  timeline: number;
  /** Tells database clusters apart; empty if this user may not see it. */
  system: string;
}

/** Settings of a connection to each server, for the driver. CONFIGURATION_INVALID. */
function clientConfigs({ url, tls }: PostgresAddress): ClientConfig[] {
  const { servers, database, user, password, encrypted } = parseDatabaseUrl(url);
  if (tls && encrypted === false)
    throw new HostError(
      "CONFIGURATION_INVALID",
      "The URL of the database has sslmode=disable, and certificates are set. Leave out one of them.",
    );
  return servers.map(({ host, port }) => ({
    host,
    port,
    database,
    user,
    password,
    application_name: "holdfast",
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.databaseKeepAliveMs,
    connectionTimeoutMillis: limits.databaseConnectMs,
    // Certificates are always verified: an encrypted connection to anybody protects nothing.
    ssl: (encrypted ?? tls !== undefined) ? { ...tls, rejectUnauthorized: true } : false,
  }));
}

/** The name of a database in messages, without its user and password. */
export function databaseName({ url }: PostgresAddress): string {
  const { servers, database } = parseDatabaseUrl(url);
  return `${servers.map(serverName).join(",")}/${database}`;
}

const serverName = ({ host, port }: { host?: string; port?: number }) =>
  host?.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/** How a connection is used. */
export interface ConnectOptions {
  /** Statements are sent without waiting for the results of those before. Default: false. */
  pipeline?: boolean;
  /**
   * Time after which a statement without a result counts as lost with its connection: a server that vanished without
   * a word answers never. Default: none.
   */
  deadlineMs?: number;
}

/** What a server says of itself. */
interface Server {
  client: Client;
  name: string;
  /** Why it cannot be written at present. */
  unusable: string | undefined;
  timeline: number;
}

/**
 * Connects to the first server that is a primary; a host that knows none yet asks all of them, and takes the newest.
 * Rejects with the error of the driver of the last server; DATABASE_UNAVAILABLE if none is a primary that may be used:
 * an old one, which was not fenced, has lost what the host wrote since; CONFIGURATION_INVALID for a server that cannot
 * be trusted.
 */
export async function connect(
  address: PostgresAddress,
  options: ConnectOptions = {},
): Promise<Client> {
  const { learned = { timeline: 0, system: "" } } = address;
  const configs = clientConfigs(address);
  let newest: Server | undefined;
  let failure: unknown;
  for (const config of configs) {
    try {
      const server = await open(config, options);
      const problem = server.unusable ?? (await ageProblem(server, learned));
      if (problem === undefined && server.timeline > (newest?.timeline ?? -1)) {
        if (newest) await hangUp(newest.client);
        newest = server;
      } else {
        if (problem !== undefined) failure = unavailable(`${server.name} ${problem}`);
        await hangUp(server.client);
      }
    } catch (thrown) {
      // One that cannot be trusted must not be passed over: it may be the primary.
      if (!isConnectionLost(thrown)) {
        if (newest) await hangUp(newest.client);
        throw thrown;
      }
      failure = thrown;
    }
    if (newest && learned.timeline > 0) break;
  }
  if (!newest) throw failure;
  await learn(newest, learned);
  return newest.client;
}

/** Connects to one server, and asks what it is. */
async function open(config: ClientConfig, options: ConnectOptions): Promise<Server> {
  const { Client, types } = (await import("pg")).default;
  const { pipeline = false, deadlineMs } = options;
  const client = new Client({
    ...config,
    pipeline,
    ...(deadlineMs !== undefined && { query_timeout: deadlineMs }),
    types: {
      // Counts and times are below 2^53.
      getTypeParser: ((oid: number, format?: "text" | "binary"): unknown =>
        oid === 20 ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
    },
  });
  // Without a listener, the loss of an idle connection would end the process; its next query fails.
  client.on("error", () => {});
  const name = serverName(config);
  try {
    await client.connect();
    const { rows } = await client.query<{
      standby: boolean;
      writable: boolean;
      timeline: number | null;
      fsync: string;
      pages: string;
      encoding: string;
    }>(
      `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'off' AS writable,
         CASE WHEN NOT pg_is_in_recovery() THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END AS timeline,
         current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages, current_setting('server_encoding') AS encoding`,
    );
    const [said] = rows;
    if (!said) throw new HostError("INTERNAL", `The database ${name} did not say what it is.`);
    if (!said.standby) requireSafe(name, said);
    const unusable = said.standby
      ? "is a standby, and no address is a primary"
      : said.writable
        ? undefined
        : "is read only: default_transaction_read_only is on";
    return { client, name, unusable, timeline: said.timeline ?? 0 };
  } catch (thrown) {
    await hangUp(client);
    throw thrown;
  }
}

/** CONFIGURATION_INVALID for a primary that may lose or tear what it acknowledged, or cannot store some. */
function requireSafe(name: string, said: { fsync: string; pages: string; encoding: string }): void {
  const refuse = (problem: string) =>
    new HostError("CONFIGURATION_INVALID", `The database ${name} cannot be used: ${problem}`);
  if (said.fsync !== "on")
    throw refuse(
      "fsync is off, so that a power failure loses what it acknowledged. Set fsync = on.",
    );
  if (said.pages !== "on")
    throw refuse(
      "full_page_writes is off, so that a power failure may damage pages. Set full_page_writes = on.",
    );
  if (said.encoding !== "UTF8")
    throw refuse(
      `its encoding is ${said.encoding}, which has no place for some characters of documents. Create the database with ENCODING 'UTF8'.`,
    );
}

/** Why a primary must not be used: it is an old one. */
async function ageProblem(
  { client, timeline }: Server,
  learned: LearnedPrimary,
): Promise<string | undefined> {
  if (timeline >= learned.timeline) return undefined;
  // A new cluster, made by an upgrade, begins at the first timeline.
  const system = await systemOf(client);
  if (learned.system !== "" && system !== "" && system !== learned.system) return undefined;
  return `is an old primary: its timeline is ${timeline}, and this host has used timeline ${learned.timeline}. Stop it, and make it a standby of the new primary`;
}

async function learn({ client, timeline }: Server, learned: LearnedPrimary): Promise<void> {
  if (timeline === learned.timeline) return;
  learned.timeline = timeline;
  learned.system = await systemOf(client);
}

/** Returns what tells database clusters apart; "" for a user who may not see it. */
async function systemOf(client: Client): Promise<string> {
  const answer = client.query<{ system: string }>(
    "SELECT system_identifier::text AS system FROM pg_control_system()",
  );
  return answer.then(
    ({ rows }) => rows[0]?.system ?? "",
    () => "",
  );
}

const unavailable = (problem: string) =>
  new HostError("DATABASE_UNAVAILABLE", `${problem}. A running host tries again by itself.`, {
    metadata: { retryAfterSeconds: "1" },
  });

/** Ends a connection. One that failed may never say that it has ended. */
export async function hangUp(client: Client): Promise<void> {
  const said = new AbortController();
  const goodbye = client.end().catch(() => {});
  const patience = sleep(limits.databaseHangUpMs, undefined, { signal: said.signal, ref: false });
  await Promise.race([goodbye, patience.catch(() => {})]);
  said.abort();
}
