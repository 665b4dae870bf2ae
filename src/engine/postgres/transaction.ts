import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { connect, hangUp, type ConnectOptions, type PostgresAddress } from "./connect.js";
import { fromPostgres } from "./postgres-error.js";

/** Runs work on a connection of its own. `what` names the activity in errors. */
export async function withClient<T>(
  address: PostgresAddress,
  what: string,
  work: (client: Client) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  let client: Client | undefined;
  try {
    client = await connect(address, options);
    return await work(client);
  } catch (thrown) {
    throw fromPostgres(thrown, what);
  } finally {
    if (client) await hangUp(client);
  }
}

/** How a commit ended that the server answered. */
export interface Committed {
  /** Why the standbys may not have it; absent if all that are waited for do. */
  notReplicated?: string;
}

/**
 * Sends COMMIT. The server warns if the wait for a standby was cancelled: then the transaction is committed on the
 * primary, and lost if that is lost before it is replicated.
 */
export async function commit(client: Client): Promise<Committed> {
  let notReplicated: string | undefined;
  let isOutside = false;
  // The language of the message is that of the server.
  const notice = ({ code, message, detail }: Notice) => {
    // There is no transaction: something ended it.
    if (code === "25P01") isOutside = true;
    if (code === "01000") notReplicated = [message, detail].filter(Boolean).join(" ");
  };
  client.on("notice", notice);
  try {
    const { command } = await client.query("COMMIT");
    if (command !== "COMMIT" || isOutside)
      throw new HostError(
        "INTERNAL",
        `The database answered a commit with ${isOutside ? "no transaction" : command}.`,
      );
    return notReplicated === undefined ? {} : { notReplicated };
  } finally {
    client.off("notice", notice);
  }
}

interface Notice {
  code?: string | undefined;
  message?: string | undefined;
  detail?: string | undefined;
}

/** OUTCOME_UNKNOWN: what was committed may be on the primary alone. `what` names the activity. */
export const maybeLost = (what: string, notReplicated: string) =>
  new HostError(
    "OUTCOME_UNKNOWN",
    `${what}: the primary has it, and its standby may not: ${notReplicated} Check the replication.`,
  );

/** Settings of a transaction that waits for the standbys. */
const settings = ({ local = false, lockMs = limits.databaseLockMs }: TransactionOptions) => ({
  synchronous_commit: local ? "local" : "on",
  lock_timeout: String(lockMs),
  idle_in_transaction_session_timeout: String(limits.databaseIdleMs),
});

/** How a transaction begins: a host that vanished must not hold its locks for long. See inTransaction. */
export const begin = (options: TransactionOptions = {}) =>
  [
    "BEGIN",
    ...Object.entries(settings(options)).map(([name, value]) => `SET LOCAL ${name} = ${value}`),
  ].join("; ");

/**
 * The settings of `begin` as a condition of the first statement of a transaction, which is always true and is looked at
 * before the lock of a row is waited for. Four statements for one would take 6 % of the time of a write.
 */
export const withSettings = `(SELECT ${Object.entries(settings({}))
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(" || ")}) IS NOT NULL`;

/** See inTransaction. */
interface TransactionOptions {
  local?: boolean;
  lockMs?: number;
}

/**
 * Runs work as one transaction, durable when the promise resolves. `local`: on the primary alone, without waiting for a
 * standby. `lockMs`: how long it waits for a lock.
 */
export async function inTransaction<T>(
  client: Client,
  work: () => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  await client.query(begin(options));
  try {
    const result = await work();
    const { notReplicated } = await commit(client);
    if (notReplicated !== undefined && !options.local) throw maybeLost("A change", notReplicated);
    return result;
  } catch (thrown) {
    await client.query("ROLLBACK").catch(() => {});
    throw thrown;
  }
}
