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

/**
 * Tracks the connections of a port and reserves room for authenticated clients. A connection counts
 * as unauthenticated until a request with a known token arrives on it. Unauthenticated connections
 * may use part of the port; when they exceed it, the oldest is closed, so that a new connection is
 * always accepted. Idle unauthenticated connections are closed.
 */
export interface Connections {
  /** Registers a TCP connection, before any TLS handshake. */
  add(socket: Socket): void;
  /** Finds a connection by its remote address and port. Returns undefined if it is closed. */
  find(address: string | undefined, port: number | undefined): Connection | undefined;
  /** Records the start of a request. */
  begin(connection: Connection): void;
  /** Records the client of a request on the connection. */
  identified(connection: Connection, client: Client, token: string | undefined): void;
  /** Records the end of a request. */
  end(connection: Connection): void;
  /**
   * Records a call that was rejected before it started. Returns true if the connection must be
   * closed: after limits.refusedCalls on the connection, or after as many from all unauthenticated
   * connections of its network within limits.connectionCheckMs.
   */
  refused(connection: Connection): boolean;
  count(): number;
  sockets(): Iterable<Socket>;
  stop(): void;
}

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
 * Creates the table. `onShed` is called periodically with the number of connections closed for
 * others.
 */
export function createConnections(
  { total, unauthenticated, unauthenticatedPerNetwork, perClient, idleMs }: ConnectionLimits,
  onShed: (count: number) => void = () => undefined,
): Connections {
  const all = new Map<string, Entry>();
  const unauthenticatedEntries = new Set<Entry>();
  const byNetwork = new Map<string, Set<Entry>>();
  const byClient = new Map<string, Set<Entry>>();
  /** Rejected calls of unauthenticated connections since the last run of the timer. */
  const refusalsByNetwork = new Map<string, number>();
  let shed = 0;

  function join(entry: Entry, groups: Map<string, Set<Entry>>, key: string): void {
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = new Set()));
    entry.group = group.add(entry);
  }

  function leave(entry: Entry): void {
    const groups = unauthenticatedEntries.delete(entry) ? byNetwork : byClient;
    entry.group.delete(entry);
    if (entry.group.size === 0)
      for (const [key, group] of groups) if (group === entry.group) groups.delete(key);
  }

  function drop(entry: Entry): void {
    if (all.get(entry.key) === entry) all.delete(entry.key);
    leave(entry);
    entry.socket.destroy();
  }

  function dropOldest(group: Iterable<Entry> | undefined): void {
    const [oldest] = group ?? [];
    if (oldest === undefined) return;
    shed += 1;
    drop(oldest);
  }

  function largest(): Set<Entry> | undefined {
    let most: Set<Entry> | undefined;
    for (const group of byClient.values()) if (group.size > (most?.size ?? 0)) most = group;
    return most;
  }

  const timer = setInterval(() => {
    const before = performance.now() - idleMs;
    for (const entry of [...unauthenticatedEntries])
      if (entry.requests === 0 && entry.idleSinceMs < before) drop(entry);
    refusalsByNetwork.clear();
    if (shed > 0) onShed(shed);
    shed = 0;
  }, limits.connectionCheckMs);
  timer.unref();

  return {
    add(socket) {
      const { remoteAddress, remotePort } = socket;
      // The socket is already closed.
      if (remoteAddress === undefined) return;
      const network = networkOf(remoteAddress);
      const group = byNetwork.get(network);
      if ((group?.size ?? 0) >= unauthenticatedPerNetwork) dropOldest(group);
      if (unauthenticatedEntries.size >= unauthenticated) dropOldest(unauthenticatedEntries);
      if (all.size >= total)
        dropOldest(unauthenticatedEntries.size > 0 ? unauthenticatedEntries : largest());
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
      all.set(entry.key, entry);
      unauthenticatedEntries.add(entry);
      join(entry, byNetwork, network);
      socket.once("close", () => all.get(entry.key) === entry && drop(entry));
    },
    find: (address, port) => all.get(keyOf(address, port)),
    begin(connection) {
      (connection as Entry).requests += 1;
    },
    identified(connection, client, token) {
      const entry = connection as Entry;
      Object.assign(entry, { client, token });
      if (!client.authenticated || !unauthenticatedEntries.has(entry)) return;
      leave(entry);
      const group = byClient.get(client.key);
      if ((group?.size ?? 0) >= perClient) dropOldest(group);
      join(entry, byClient, client.key);
    },
    end(connection) {
      const entry = connection as Entry;
      entry.requests -= 1;
      entry.idleSinceMs = performance.now();
    },
    refused(connection) {
      const entry = connection as Entry;
      entry.refusals += 1;
      if (entry.refusals > limits.refusedCalls) return true;
      if (entry.client?.authenticated) return false;
      const refusals = (refusalsByNetwork.get(entry.network) ?? 0) + 1;
      refusalsByNetwork.set(entry.network, refusals);
      return refusals > limits.refusedCalls;
    },
    count: () => all.size,
    *sockets() {
      for (const { socket } of all.values()) yield socket;
    },
    stop: () => clearInterval(timer),
  };
}

function keyOf(address: string | undefined, port: number | undefined): string {
  return `${address} ${port}`;
}
