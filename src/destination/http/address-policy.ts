import { lookup as resolveName, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { HostError } from "../../errors.js";

/** Which addresses this host may connect to on behalf of those who ask it for a backup or a restore. */
export interface AddressPolicy {
  /** Whether loopback and private addresses are allowed without being named. */
  allowPrivate: boolean;
  allowed: readonly AllowedDestination[];
}

export interface AllowedDestination {
  /** A name or an address, in lower case, without brackets. */
  host: string;
  /** Absent: every port. */
  port?: number;
}

/** Never: link-local addresses, the metadata services of the clouds, multicast, what is reserved, and tunnels whose other end cannot be told (local NAT64, Teredo). */
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

/** Each IPv4 network also in the forms that IPv6 wraps it in: mapped, translated (SIIT), compatible, NAT64 and 6to4. */
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

/** `HOST`, `HOST:PORT`, `[V6]:PORT` or `V6`; CONFIGURATION_INVALID for anything else. */
export function parseAllowedDestination(text: string): AllowedDestination {
  if (isIP(text) === 6) return { host: text.toLowerCase() };
  const [, bracketed, name, port] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65535) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${JSON.stringify(text)} is no destination to allow; write HOST or HOST:PORT.`,
    );
  }
  return { host: host.toLowerCase(), ...(port !== undefined && { port: Number(port) }) };
}

/** ADDRESS_NOT_ALLOWED unless the policy lets this host connect to the address, asked for as `hostname`. */
export function checkAddress(
  policy: AddressPolicy,
  hostname: string,
  port: number,
  address: string,
): void {
  const bare = address.split("%", 1)[0] ?? "";
  const family = isIP(bare) === 6 ? "ipv6" : "ipv4";
  const refuse = (what: string, advice: string) =>
    new HostError("ADDRESS_NOT_ALLOWED", `${hostname}:${port} is at ${bare}, ${what}: ${advice}.`, {
      metadata: { address: bare },
    });
  if (forbidden.check(bare, family))
    throw refuse("a link-local, metadata or reserved address", "this host never connects there");
  if (policy.allowPrivate || !privateAddresses.check(bare, family)) return;
  const names = [hostname.toLowerCase(), bare.toLowerCase()];
  if (policy.allowed.some((one) => names.includes(one.host) && (one.port ?? port) === port)) return;
  throw refuse(
    "a loopback or private address",
    `a host that others can reach connects there only with --allow-destination ${hostname}:${port}`,
  );
}

/** Resolves names for connections to one port, and hands out only addresses that are allowed: what is checked is what is connected to. */
export function lookupUnder(policy: AddressPolicy, port: number): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "", 0);
      const usable: LookupAddress[] = [];
      let refused: unknown;
      for (const each of found) {
        try {
          checkAddress(policy, hostname, port, each.address);
          usable.push(each);
        } catch (thrown) {
          refused = thrown;
        }
      }
      const [first] = usable;
      if (!first)
        return callback(
          (refused ?? new Error(`${hostname} has no address`)) as NodeJS.ErrnoException,
          "",
          0,
        );
      if (options.all) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
}
