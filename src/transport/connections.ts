import type { Socket } from "node:net";
import { limits } from "../limits.js";
import { networkOf, type Client } from "../security/clients.js";

/** An open connection and the client that last sent a request on it. */
export interface Connection {
  client: Client | undefined;
  token: string | undefined;
}

/** Connection limits of a port. The defaults are in limits.ts. */
export interface ConnectionLimits {
  total: number;
  /** Connections on which no request with a known token has arrived yet. */
  unauthenticated: number;
  /** Unauthenticated connections of one network (see networkOf). */
  unauthenticatedPerNetwork: number;
  /** Connections of one authenticated client. */
  perClient: number;
  /** An unauthenticated connection is closed after this idle time, in milliseconds. */
  idleMs: number;
}

/** Kept on the socket itself: looking the connection up for each request costs a read a few percent. */
const found = Symbol("connection of the socket");

interface Entry extends Connection {
  readonly key: string;
  readonly network: string;
  readonly socket: Socket;
  requests: number;
  idleSinceMs: number;
  /** gRPC calls rejected before they started. */
  refusals: number;
  /**
   * The set the connection counts towards: of its network while unauthenticated, else of its
   * client.
   */
  group: Set<Entry>;
}

/**
 * Derives the limits from the number of files that the process may open (default: no limit). A port
 * uses at most a quarter; the other port, indexes and backups need descriptors too.
 */
export function connectionLimits(openFiles = Infinity): ConnectionLimits {
  const total = Math.max(16, Math.min(limits.connections, Math.floor(openFiles / 4)));
  return {
    total,
    unauthenticated: total / 2,
    unauthenticatedPerNetwork: total / 4,
    perClient: total / 2,
    idleMs: limits.unauthenticatedIdleMs,
  };
}

/**
 * Tracks the connections of a port and reserves room for authenticated clients. A connection counts
 * as unauthenticated until a request with a known token arrives on it. Unauthenticated connections
 * may use part of the port; when they exceed it, the oldest is closed, so that a new connection is
 * always accepted. Idle unauthenticated connections are closed.
 */
export class Connections {
  private readonly all = new Map<string, Entry>();
  private readonly unauthenticated = new Set<Entry>();
  private readonly byNetwork = new Map<string, Set<Entry>>();
  private readonly byClient = new Map<string, Set<Entry>>();
  /** Rejected calls of unauthenticated connections since the last run of the timer. */
  private readonly refusalsByNetwork = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private shed = 0;

  /** `onShed` is called periodically with the number of connections closed for others. */
  constructor(
    private readonly bounds: ConnectionLimits,
    private readonly onShed: (count: number) => void = () => undefined,
  ) {
    this.timer = setInterval(() => this.closeIdle(), limits.connectionCheckMs);
    this.timer.unref();
  }

  /** Registers a TCP connection, before any TLS handshake. */
  add(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    // The socket is already closed.
    if (remoteAddress === undefined) return;
    const network = networkOf(remoteAddress);
    this.makeRoom(network);
    const entry: Entry = {
      key: keyOf(remoteAddress, remotePort),
      network,
      socket,
      client: undefined,
      token: undefined,
      refusals: 0,
      requests: 0,
      idleSinceMs: performance.now(),
      group: new Set(),
    };
    this.all.set(entry.key, entry);
    this.unauthenticated.add(entry);
    join(entry, this.byNetwork, network);
    socket.once("close", () => this.all.get(entry.key) === entry && this.drop(entry));
  }

  /** Finds a connection by its remote address and port. Returns undefined if it is closed. */
  find(address: string | undefined, port: number | undefined): Connection | undefined {
    return this.all.get(keyOf(address, port));
  }

  /** Finds the connection of a request, by the socket that the request has: with TLS, it is not that of the connection. */
  of(socket: Socket & { [found]?: Connection | undefined }): Connection | undefined {
    return (socket[found] ??= this.find(socket.remoteAddress, socket.remotePort));
  }

  /** Records the start of a request. */
  begin(connection: Connection): void {
    (connection as Entry).requests += 1;
  }

  /** Records the client of a request on the connection. */
  identified(connection: Connection, client: Client, token: string | undefined): void {
    const entry = connection as Entry;
    Object.assign(entry, { client, token });
    if (!client.authenticated || !this.unauthenticated.has(entry)) return;
    this.leave(entry);
    const group = this.byClient.get(client.key);
    if ((group?.size ?? 0) >= this.bounds.perClient) this.dropOldest(group);
    join(entry, this.byClient, client.key);
  }

  /** Records the end of a request. */
  end(connection: Connection): void {
    const entry = connection as Entry;
    entry.requests -= 1;
    entry.idleSinceMs = performance.now();
  }

  /**
   * Records a call that was rejected before it started. Returns true if the connection must be
   * closed: after limits.refusedCalls on the connection, or after as many from all unauthenticated
   * connections of its network within limits.connectionCheckMs.
   */
  refused(connection: Connection): boolean {
    const entry = connection as Entry;
    entry.refusals += 1;
    if (entry.refusals > limits.refusedCalls) return true;
    if (entry.client?.authenticated) return false;
    const refusals = (this.refusalsByNetwork.get(entry.network) ?? 0) + 1;
    this.refusalsByNetwork.set(entry.network, refusals);
    return refusals > limits.refusedCalls;
  }

  /** Returns the number of open connections. */
  count(): number {
    return this.all.size;
  }

  /** Returns the sockets of the open connections. */
  *sockets(): Iterable<Socket> {
    for (const { socket } of this.all.values()) yield socket;
  }

  /** Stops closing idle connections. */
  stop(): void {
    clearInterval(this.timer);
  }

  /** Closes the oldest connections if those of the network, the unauthenticated ones or all are too many. */
  private makeRoom(network: string): void {
    const { total, unauthenticated, unauthenticatedPerNetwork } = this.bounds;
    const group = this.byNetwork.get(network);
    if ((group?.size ?? 0) >= unauthenticatedPerNetwork) this.dropOldest(group);
    if (this.unauthenticated.size >= unauthenticated) this.dropOldest(this.unauthenticated);
    if (this.all.size >= total)
      this.dropOldest(this.unauthenticated.size > 0 ? this.unauthenticated : this.largest());
  }

  private closeIdle(): void {
    const before = performance.now() - this.bounds.idleMs;
    for (const entry of [...this.unauthenticated])
      if (entry.requests === 0 && entry.idleSinceMs < before) this.drop(entry);
    this.refusalsByNetwork.clear();
    if (this.shed > 0) this.onShed(this.shed);
    this.shed = 0;
  }

  private leave(entry: Entry): void {
    const groups = this.unauthenticated.delete(entry) ? this.byNetwork : this.byClient;
    entry.group.delete(entry);
    if (entry.group.size === 0)
      for (const [key, group] of groups) if (group === entry.group) groups.delete(key);
  }

  private drop(entry: Entry): void {
    if (this.all.get(entry.key) === entry) this.all.delete(entry.key);
    this.leave(entry);
    entry.socket.destroy();
  }

  private dropOldest(group: Iterable<Entry> | undefined): void {
    const [oldest] = group ?? [];
    if (oldest === undefined) return;
    this.shed += 1;
    this.drop(oldest);
  }

  /** Returns the connections of the client that has the most. */
  private largest(): Set<Entry> | undefined {
    let most: Set<Entry> | undefined;
    for (const group of this.byClient.values()) if (group.size > (most?.size ?? 0)) most = group;
    return most;
  }
}

function join(entry: Entry, groups: Map<string, Set<Entry>>, key: string): void {
  let group = groups.get(key);
  if (group === undefined) groups.set(key, (group = new Set()));
  entry.group = group.add(entry);
}

function keyOf(address: string | undefined, port: number | undefined): string {
  return `${address} ${port}`;
}
