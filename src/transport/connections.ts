import type { Socket } from "node:net";
import { limits } from "../limits.js";
import { networkOf, type Client } from "../security/clients.js";

/** A connection as its port knows it. */
export interface Connection {
  /** Who sent the last request on it, and by which token. */
  client: Client | undefined;
  token: string | undefined;
}

/** How many connections a port takes; the host's are those of limits.ts. */
export interface ConnectionLimits {
  total: number;
  /** Those on which no request with a known token came yet: of all addresses, and of one. */
  strangers: number;
  strangersPerAddress: number;
  /** Those of one client with a known token. */
  perClient: number;
  /** A connection without such a request is closed when it was silent for so long. */
  silentMs: number;
}

/**
 * Keeps room on a port for clients with a known token. A connection is a stranger until a request with one came on it; strangers may
 * take a part of the port, and the oldest goes where one too many comes, so that a new one always gets in. Strangers that say nothing are closed.
 */
export interface Connections {
  /** Takes a connection in; TCP, before any handshake. */
  add(socket: Socket): void;
  /** By the other end's address and port; undefined for one that is closed. */
  find(address: string | undefined, port: number | undefined): Connection | undefined;
  /** A request began on it; the client is known once it is identified. */
  begin(connection: Connection): void;
  identified(connection: Connection, client: Client, token: string | undefined): void;
  end(connection: Connection): void;
  /** A call on it was refused before it began. Whether the connection is to be cut: limits.refusedCalls of its own, or as many of all strangers of its network within limits.connectionCheckMs. */
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
  quietSinceMs: number;
  /** gRPC calls on it that were refused before they began. */
  refusals: number;
  /** The set that it counts in: that of its network as a stranger, or of its client. */
  group: Set<Entry>;
}

/** What a port takes of the files that the process may have open: the other port, the indexes and backups need some too. */
export function connectionLimits(openFiles = Infinity): ConnectionLimits {
  const total = Math.max(16, Math.min(limits.connections, Math.floor(openFiles / 4)));
  return {
    total,
    strangers: total / 2,
    strangersPerAddress: total / 4,
    perClient: total / 2,
    silentMs: limits.silentConnectionMs,
  };
}

/** `onShed` is told now and then how many connections had to go for others. */
export function createConnections(
  { total, strangers, strangersPerAddress, perClient, silentMs }: ConnectionLimits,
  onShed: (count: number) => void = () => undefined,
): Connections {
  const all = new Map<string, Entry>();
  const unknown = new Set<Entry>();
  const byNetwork = new Map<string, Set<Entry>>();
  const byClient = new Map<string, Set<Entry>>();
  /** Of strangers, since the last look of the timer. */
  const refusalsByNetwork = new Map<string, number>();
  let shed = 0;

  function join(entry: Entry, groups: Map<string, Set<Entry>>, key: string): void {
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = new Set()));
    entry.group = group.add(entry);
  }

  function leave(entry: Entry): void {
    const groups = unknown.delete(entry) ? byNetwork : byClient;
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
    const before = performance.now() - silentMs;
    for (const entry of [...unknown])
      if (entry.requests === 0 && entry.quietSinceMs < before) drop(entry);
    refusalsByNetwork.clear();
    if (shed > 0) onShed(shed);
    shed = 0;
  }, limits.connectionCheckMs);
  timer.unref();

  return {
    add(socket) {
      const { remoteAddress, remotePort } = socket;
      // It is gone already.
      if (remoteAddress === undefined) return;
      const network = networkOf(remoteAddress);
      const group = byNetwork.get(network);
      if ((group?.size ?? 0) >= strangersPerAddress) dropOldest(group);
      if (unknown.size >= strangers) dropOldest(unknown);
      if (all.size >= total) dropOldest(unknown.size > 0 ? unknown : largest());
      const entry: Entry = {
        key: keyOf(remoteAddress, remotePort),
        network,
        socket,
        client: undefined,
        token: undefined,
        refusals: 0,
        requests: 0,
        quietSinceMs: performance.now(),
        group: new Set(),
      };
      all.set(entry.key, entry);
      unknown.add(entry);
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
      if (!client.authenticated || !unknown.has(entry)) return;
      leave(entry);
      const group = byClient.get(client.key);
      if ((group?.size ?? 0) >= perClient) dropOldest(group);
      join(entry, byClient, client.key);
    },
    end(connection) {
      const entry = connection as Entry;
      entry.requests -= 1;
      entry.quietSinceMs = performance.now();
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
