import type { Client } from "pg";
import { connect, type PostgresAddress } from "./connect.js";
import { fromPostgres } from "./postgres-error.js";

/** Runs work on a connection of its own. `what` names the activity in errors. */
export async function withClient<T>(
  address: PostgresAddress,
  what: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  let client: Client | undefined;
  try {
    client = await connect(address);
    return await work(client);
  } catch (thrown) {
    throw fromPostgres(thrown, what);
  } finally {
    await client?.end().catch(() => {});
  }
}

/** Runs work as one transaction, durable when the promise resolves. */
export async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN; SET LOCAL synchronous_commit = on");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (thrown) {
    await client.query("ROLLBACK").catch(() => {});
    throw thrown;
  }
}
