import { HostError } from "../errors.js";

export interface HostAddress {
  /** Without brackets. */
  host: string;
  port: number;
  tls: boolean;
}

const defaultPort = 8001;

/** HOST, HOST:PORT, [V6]:PORT, http://HOST:PORT or https://HOST:PORT of a gRPC port; REQUEST_INVALID for what is none. */
export function parseAddress(text: string, tls: boolean): HostAddress {
  const invalid = () =>
    new HostError(
      "REQUEST_INVALID",
      `The address ${JSON.stringify(text)} is none; write HOST:PORT of the host's gRPC port, for example 127.0.0.1:8001 or https://backup.example:8001.`,
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

export const formatAddress = ({ host, port }: HostAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
