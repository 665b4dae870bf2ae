import type { HostError } from "../errors.js";
import type { Client } from "./clients.js";

/** What one client has taken of something that is bounded. */
export interface Hold {
  /** Throws where the host, or the client, would take more than its share; then nothing was taken. */
  add(amount: number): void;
  free(amount: number): void;
  /** Gives all back. */
  release(): void;
}

/** Something that clients share: bytes of memory, calls, slots for operations. */
export interface Shares {
  open(client: Client): Hold;
  taken(): number;
}

export interface ShareLimits {
  total: number;
  /** What one client may take. */
  perClient: number;
  /** What all may take together who showed no known token, and each of them a quarter of. Absent: as anybody. */
  strangers?: number;
  /** Of the total, what is kept for admins. */
  reserved?: number;
}

/** Whose share was not enough: everybody's, one client's, or that of those without a known token. */
export type Shortage = "all" | "client" | "strangers";

/** `refuse` makes the error; it is told whose share it was and how large that is. */
export function createShares(
  { total, perClient, strangers = total, reserved = 0 }: ShareLimits,
  refuse: (shortage: Shortage, most: number) => HostError,
): Shares {
  let taken = 0;
  let takenByStrangers = 0;
  const byClient = new Map<string, number>();

  function change({ key, authenticated }: Client, amount: number): void {
    taken += amount;
    if (!authenticated) takenByStrangers += amount;
    const held = (byClient.get(key) ?? 0) + amount;
    if (held > 0) byClient.set(key, held);
    else byClient.delete(key);
  }

  function check({ key, authenticated, admin }: Client, amount: number): void {
    const most = admin ? total : total - reserved;
    if (taken + amount > most) throw refuse("all", most);
    if (!authenticated && takenByStrangers + amount > strangers)
      throw refuse("strangers", strangers);
    const own = authenticated ? perClient : Math.min(perClient, Math.ceil(strangers / 4));
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
