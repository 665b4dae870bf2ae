import { HostError } from "../errors.js";

/** Address of the gRPC port of a host. */
export interface HostAddress {
  /** Host name or IP address; IPv6 without brackets. */
  host: string;
  port: number;
  tls: boolean;
}

const defaultPort = 8001;

/**
 * Parses HOST, HOST:PORT, [IPV6]:PORT, http://HOST:PORT or https://HOST:PORT (default port: 8001).
 * A scheme takes precedence over `tls`. Throws REQUEST_INVALID if the address is malformed.
 */
export function parseAddress(text: string, tls: boolean): HostAddress {
  const invalid = () =>
    new HostError(
      "REQUEST_INVALID",
      `Invalid address ${JSON.stringify(text)}. Use HOST:PORT of the gRPC port, for example 127.0.0.1:8001 or https://backup.example:8001.`,
    );
  const match = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/.exec(
    text.trim(),
  );
  if (!match?.[2]) throw invalid();
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port < 1 || port > 65535) throw invalid();
  return {
    host: match[2].replace(/^\[|\]$/g, ""),
    port,
    tls: match[1] === "https" || (match[1] === undefined && tls),
  };
}

/** Formats an address as HOST:PORT, with brackets around IPv6. */
export const formatAddress = ({ host, port }: HostAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
