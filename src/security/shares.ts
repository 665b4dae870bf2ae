import type { HostError } from "../errors.js";
import type { Client } from "./clients.js";

/** The part of a limited resource that a client holds. */
export interface Hold {
  /**
   * Acquires an amount. Throws without acquiring anything if it would exceed the limit of the host
   * or the client.
   */
  add(amount: number): void;
  /** Releases an amount. */
  free(amount: number): void;
  /** Releases everything. */
  release(): void;
}

/** A limited resource shared by clients: bytes of memory, calls, or slots for operations. */
export interface Shares {
  /** Opens an empty hold for a client. */
  open(client: Client): Hold;
  /** Returns the total amount held. */
  taken(): number;
}

/** Limits of a resource. */
export interface ShareLimits {
  total: number;
  /** Maximum per client. */
  perClient: number;
  /**
   * Maximum for all unauthenticated clients together; each may hold a quarter of it. Default: no
   * separate limit.
   */
  unauthenticated?: number;
  /** Part of the total reserved for admins. Default: 0. */
  reserved?: number;
}

/** The exceeded limit: that of the host, of a client, or of unauthenticated clients. */
export type Shortage = "all" | "client" | "unauthenticated";

/** Creates an empty resource. `refuse` creates the error for an exceeded limit. */
export function createShares(
  { total, perClient, unauthenticated = total, reserved = 0 }: ShareLimits,
  refuse: (shortage: Shortage, limit: number) => HostError,
): Shares {
  let taken = 0;
  let takenUnauthenticated = 0;
  const byClient = new Map<string, number>();

  function change({ key, authenticated }: Client, amount: number): void {
    taken += amount;
    if (!authenticated) takenUnauthenticated += amount;
    const held = (byClient.get(key) ?? 0) + amount;
    if (held > 0) byClient.set(key, held);
    else byClient.delete(key);
  }

  function check({ key, authenticated, admin }: Client, amount: number): void {
    const limit = admin ? total : total - reserved;
    if (taken + amount > limit) throw refuse("all", limit);
    if (!authenticated && takenUnauthenticated + amount > unauthenticated)
      throw refuse("unauthenticated", unauthenticated);
    const own = authenticated ? perClient : Math.min(perClient, Math.ceil(unauthenticated / 4));
    if ((byClient.get(key) ?? 0) + amount > own) throw refuse("client", own);
  }

  return {
    open(client) {
      let held = 0;
      const free = (amount: number) => {
        const freed = Math.min(amount, held);
        held -= freed;
        if (freed > 0) change(client, -freed);
      };
      return {
        add(amount) {
          check(client, amount);
          held += amount;
          change(client, amount);
        },
        free,
        release: () => free(held),
      };
    },
    taken: () => taken,
  };
}
