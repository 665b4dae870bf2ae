import { isIPv6 } from "node:net";
import type { TokenTable } from "./tokens.js";

/** Who a request is accounted to: shares of memory, connections and work are by client. */
export interface Client {
  /** The token by its place in the token file, else the address. Never a secret. */
  readonly key: string;
  /** Whether its token is known; where no tokens are asked for, everybody is. */
  readonly authenticated: boolean;
  /** May take what is kept free for admins. */
  readonly admin: boolean;
}

/** Finds the client of a request by its bearer token and the address it came from. */
export type Identify = (bearerToken: string | undefined, address: string | undefined) => Client;

export function identifyBy(tokens: TokenTable | undefined): Identify {
  return (bearerToken, address) => {
    const byAddress = `address ${networkOf(address)}`;
    if (tokens === undefined) return { key: byAddress, authenticated: true, admin: true };
    const entry = bearerToken === undefined ? undefined : tokens.find(bearerToken);
    if (entry === undefined || entry.expired)
      return { key: byAddress, authenticated: false, admin: false };
    return { key: `token ${entry.number}`, authenticated: true, admin: entry.roles.has("admin") };
  };
}

/** An address as far as it tells one client from another: of IPv6 the first 64 bits, the rest is the client's own to choose. */
export function networkOf(address: string | undefined): string {
  const [bare = ""] = (address ?? "").split("%", 1);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(bare)) return bare;
  const [head = "", tail] = bare.toLowerCase().split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? 0 : tail.split(":").length;
  const full =
    tail === undefined
      ? groups
      : [
          ...groups,
          ...Array.from({ length: 8 - groups.length - after }, () => "0"),
          ...(tail === "" ? [] : tail.split(":")),
        ];
  return `${full
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
