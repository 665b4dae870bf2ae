import { isIPv4, isIPv6 } from "node:net";

/**
 * Names accepted in the Host header. With DNS rebinding, a web page can resolve its own name to
 * 127.0.0.1 and send requests to this host, but it cannot change the name in the Host header.
 */
export interface HostNames {
  /** Whether a Host header, with or without port, contains a name of this host. */
  allows(header: string): boolean;
}

/** Accepts localhost, loopback addresses, the bind address, and the configured names. */
export function hostNames(bindAddress: string, configured: readonly string[] = []): HostNames {
  const names = new Set(
    ["localhost", bindAddress, ...configured].map((name) => bare(name.toLowerCase())),
  );
  // A host bound to all addresses accepts any address: DNS rebinding requires a name.
  const anyAddress = names.has("0.0.0.0") || names.has("::");
  const known = new Map<string, boolean>();
  const decide = (header: string): boolean => {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s/@\\]+)(?::\d{1,5})?$/.exec(header);
    if (match?.[1] === undefined) return false;
    const name = bare(match[1].toLowerCase().replace(/\.$/, ""));
    return names.has(name) || isLoopback(name) || (anyAddress && (isIPv4(name) || isIPv6(name)));
  };
  return {
    allows(header) {
      let allowed = known.get(header);
      if (allowed === undefined) {
        allowed = decide(header);
        if (known.size < 64) known.set(header, allowed);
      }
      return allowed;
    },
  };
}

/** Whether an address or name is only reachable from this machine. */
export function isLoopback(address: string): boolean {
  const name = bare(address.toLowerCase());
  return (
    name === "localhost" ||
    name === "::1" ||
    (isIPv4(name) && name.startsWith("127.")) ||
    /^::ffff:127\.\d+\.\d+\.\d+$/.test(name)
  );
}

function bare(name: string): string {
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
}
