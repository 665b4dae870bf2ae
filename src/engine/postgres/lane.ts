import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { connect, hangUp, type ConnectOptions, type PostgresAddress } from "./connect.js";
import { isConnectionLost, isStandby } from "./postgres-error.js";

/** One connection that is opened when it is first used, and again after it was lost. */
export class Lane {
  private opened: Promise<Client> | undefined;
  /** The timeline that the host knew when it connected. */
  private timeline: number | undefined;
  private closed = false;
  /** Calls under way, by which a lane is chosen. */
  users = 0;

  constructor(
    private readonly address: PostgresAddress,
    private readonly options: ConnectOptions,
  ) {}

  /** Runs work on the connection. After an error that says that it is lost, the next call opens another one. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    if (this.closed) throw new HostError("INDEX_CLOSED", "The index was closed.");
    // Another connection found that a standby was promoted: this one may be to the old primary, which still answers.
    if (this.opened && this.timeline !== this.address.learned?.timeline)
      await this.drop(this.opened);
    const opened = (this.opened ??= this.connect());
    this.users += 1;
    try {
      return await work(await opened);
    } catch (thrown) {
      if (isConnectionLost(thrown) || isStandby(thrown) || !(await isOpen(opened)))
        await this.drop(opened);
      throw thrown;
    } finally {
      this.users -= 1;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const client = await this.opened?.catch(() => undefined);
    if (client) await hangUp(client);
  }

  private async connect(): Promise<Client> {
    const client = await connect(this.address, this.options);
    this.timeline = this.address.learned?.timeline;
    return client;
  }

  private async drop(lost: Promise<Client>): Promise<void> {
    if (this.opened === lost) this.opened = undefined;
    const client = await lost.catch(() => undefined);
    // Not waited for: a connection that is cut may never say goodbye.
    if (client) void hangUp(client);
  }
}

const isOpen = (opened: Promise<Client>) =>
  opened.then(
    () => true,
    () => false,
  );
