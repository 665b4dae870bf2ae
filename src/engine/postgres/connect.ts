import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { isConnectionLost } from "./postgres-error.js";

/** Where the database is. Secret: the URLs may contain a password. */
export interface PostgresAddress {
  /** postgres://USER[:PASSWORD]@HOST[:PORT][,HOST[:PORT]...]/DATABASE: the hosts are tried until one is a primary. */
  url: string;
  /** Verifies the certificate of the server; its name must be the host of the URL. Default: as `sslmode` of the URL says. */
  tls?: { ca?: string; cert?: string; key?: string } | undefined;
}

/** Settings of a connection, for the driver. */
function clientConfigs({ url, tls }: PostgresAddress): ClientConfig[] {
  const found = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#]+)(.*)$/s.exec(url);
  if (!found)
    throw new HostError(
      "CONFIGURATION_INVALID",
      "The URL of the database must be postgres://USER:PASSWORD@HOST:PORT/DATABASE.",
    );
  const [, before = "", hosts = "", after = ""] = found;
  return hosts.split(",").map((host) => {
    const one = new URL(`${before}${host}${after}`);
    const mode = one.searchParams.get("sslmode") ?? (tls ? "verify-full" : "disable");
    const isEncrypted = mode !== "disable" && mode !== "allow" && mode !== "prefer";
    return {
      host: one.hostname.replace(/^\[|\]$/g, ""),
      port: one.port === "" ? 5432 : Number(one.port),
      database: decodeURIComponent(one.pathname.slice(1)) || "postgres",
      user: decodeURIComponent(one.username),
      password: decodeURIComponent(one.password),
      application_name: "holdfast",
      keepAlive: true,
      keepAliveInitialDelayMillis: limits.databaseKeepAliveMs,
      connectionTimeoutMillis: limits.databaseConnectMs,
      // Certificates are always verified: an encrypted connection to anybody protects nothing.
      ssl: isEncrypted ? { ...tls, rejectUnauthorized: true } : false,
    };
  });
}

/** The name of a database in messages, without its user and password. */
export function databaseName(address: PostgresAddress): string {
  const [first, ...others] = clientConfigs(address);
  const hosts = [first, ...others].map((one) => `${one?.host}:${one?.port}`).join(",");
  return `${hosts}/${first?.database}`;
}

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

/**
 * Connects to the first address that is a primary. Rejects with the error of the driver of the last address, or
 * with DATABASE_UNAVAILABLE if all are standbys.
 */
export async function connect(
  address: PostgresAddress,
  { pipeline = false, deadlineMs }: ConnectOptions = {},
): Promise<Client> {
  const { Client, types } = (await import("pg")).default;
  let failure: unknown;
  for (const config of clientConfigs(address)) {
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
    try {
      await client.connect();
      const { rows } = await client.query<{ read_only: string }>(
        "SELECT current_setting('transaction_read_only') AS read_only",
      );
      if (rows[0]?.read_only === "off") return client;
      failure = new HostError(
        "DATABASE_UNAVAILABLE",
        `${config.host}:${config.port} is a standby, and no address is a primary. The host tries again by itself.`,
        { metadata: { retryAfterSeconds: "1" } },
      );
    } catch (thrown) {
      if (!isConnectionLost(thrown)) {
        await hangUp(client);
        throw thrown;
      }
      failure = thrown;
    }
    await hangUp(client);
  }
  throw failure;
}

/** Ends a connection. One that failed may never say that it has ended. */
export async function hangUp(client: Client): Promise<void> {
  const said = new AbortController();
  const goodbye = client.end().catch(() => {});
  const patience = sleep(limits.databaseHangUpMs, undefined, { signal: said.signal, ref: false });
  await Promise.race([goodbye, patience.catch(() => {})]);
  said.abort();
}
