import { lookup as resolveName, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { HostError } from "../../errors.js";

/** Addresses to which this host may connect for a request of a client. */
export interface AddressPolicy {
  /** Whether all loopback and private addresses are allowed. */
  allowPrivate: boolean;
  /** Private destinations that are allowed in any case. */
  allowed: readonly AllowedDestination[];
}

/** A destination of --allow-destination. */
export interface AllowedDestination {
  /** Name or address in lower case, without brackets. */
  host: string;
  /** Default: every port. */
  port?: number;
}

/**
 * Never allowed: link-local addresses, cloud metadata services, multicast, reserved ranges, and
 * tunnels to unknown addresses (local NAT64, Teredo).
 */
const forbidden = blockList(
  [
    "169.254.0.0/16",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "192.0.0.192/32",
    "224.0.0.0/4",
    "240.0.0.0/4",
  ],
  ["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "ff00::/8", "64:ff9b:1::/48", "2001::/32"],
);
/** Loopback, "this host", private and shared networks. */
const privateAddresses = blockList(
  [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
  ],
  ["::/128", "::1/128", "fc00::/7", "fec0::/10"],
);

/**
 * Creates a list that also contains each IPv4 network in its IPv6 forms: mapped, translated (SIIT),
 * compatible, NAT64 and 6to4.
 */
function blockList(v4: string[], v6: string[]): BlockList {
  const list = new BlockList();
  for (const network of v4) {
    const [address = "", bits = ""] = network.split("/");
    const prefix = Number(bits);
    list.addSubnet(address, prefix, "ipv4");
    for (const wrap of ["::ffff:", "::ffff:0:", "::", "64:ff9b::"])
      list.addSubnet(`${wrap}${address}`, 96 + prefix, "ipv6");
    const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
    list.addSubnet(
      `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`,
      16 + prefix,
      "ipv6",
    );
  }
  for (const network of v6) {
    const [address = "", bits = ""] = network.split("/");
    list.addSubnet(address, Number(bits), "ipv6");
  }
  return list;
}

/**
 * Parses `HOST`, `HOST:PORT`, `[V6]:PORT` or `V6`. Throws CONFIGURATION_INVALID for another text.
 */
export function parseAllowedDestination(text: string): AllowedDestination {
  if (isIP(text) === 6) return { host: text.toLowerCase() };
  const [, bracketed, name, port] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65535) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Invalid destination to allow ${JSON.stringify(text)}: use HOST or HOST:PORT.`,
    );
  }
  return { host: host.toLowerCase(), ...(port !== undefined && { port: Number(port) }) };
}

/**
 * Throws ADDRESS_NOT_ALLOWED unless the policy allows connections to `address`, to which `hostname`
 * resolved.
 */
export function checkAddress(
  policy: AddressPolicy,
  hostname: string,
  port: number,
  address: string,
): void {
  const bare = address.split("%", 1)[0] ?? "";
  const family = isIP(bare) === 6 ? "ipv6" : "ipv4";
  const refused = (what: string, hint: string) =>
    new HostError(
      "ADDRESS_NOT_ALLOWED",
      `Cannot connect to ${hostname}:${port}: ${bare} is ${what}. ${hint}.`,
      {
        metadata: { address: bare },
      },
    );
  if (forbidden.check(bare, family))
    throw refused(
      "a link-local, metadata or reserved address",
      "The host never connects to such addresses",
    );
  if (policy.allowPrivate || !privateAddresses.check(bare, family)) return;
  const names = [hostname.toLowerCase(), bare.toLowerCase()];
  if (policy.allowed.some((one) => names.includes(one.host) && (one.port ?? port) === port)) return;
  throw refused(
    "a loopback or private address",
    `To allow it, start the host with --allow-destination ${hostname}:${port}`,
  );
}

/**
 * Returns a lookup function that only returns allowed addresses, so that the checked address is
 * also the one connected to.
 */
export function createLookup(policy: AddressPolicy, port: number): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "", 0);
      const usable: LookupAddress[] = [];
      let refusal: unknown;
      for (const each of found) {
        try {
          checkAddress(policy, hostname, port, each.address);
          usable.push(each);
        } catch (thrown) {
          refusal = thrown;
        }
      }
      const [first] = usable;
      if (!first)
        return callback(
          (refusal ?? new Error(`${hostname} has no address`)) as NodeJS.ErrnoException,
          "",
          0,
        );
      if (options.all) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
}
