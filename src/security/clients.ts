import { isIPv6 } from "node:net";
import type { TokenTable } from "./tokens.js";

/**
 * The client that a request is charged to. Memory, connections and operations are limited per
 * client.
 */
export interface Client {
  /** Number of the token in the token file, or the network address. Contains no secret. */
  readonly key: string;
  /** Whether the token is known; always true on a host without tokens. */
  readonly authenticated: boolean;
  /** Whether the client may use the share reserved for admins. */
  readonly admin: boolean;
}

/** Identifies the client of a request by bearer token and remote address. */
export type Identify = (bearerToken: string | undefined, address: string | undefined) => Client;

/** Creates the function for a token table. */
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

/**
 * Returns the network that identifies a client: an IPv4 address, or the first 64 bits of an IPv6
 * address, as a client can choose the rest.
 */
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
