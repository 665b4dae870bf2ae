import { rootCertificates } from "node:tls";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { formatAddress, type HostAddress } from "./host-address.js";
import { limits } from "../limits.js";

/** How to connect to a host. */
export interface ConnectionOptions {
  address: HostAddress;
  /** Bearer token. Default: none. */
  token?: string;
  /** CA certificates in PEM, trusted in addition to those of Node. Default: none. */
  ca?: string;
  /** Client certificate in PEM; requires `key`. Default: none. */
  certificate?: string;
  /** Private key of the client certificate in PEM. */
  key?: string;
}

/** A connection to a host. */
export interface Connection {
  transport: Transport;
  /** Aborts all calls and closes the connection without waiting for the host. */
  close(): void;
}

/** Creates a connection to the gRPC port of a host. The first call establishes it. */
export function connectToHost({
  address,
  token,
  ca,
  certificate,
  key,
}: ConnectionOptions): Connection {
  const baseUrl = `${address.tls ? "https" : "http"}://${formatAddress(address)}`;
  const nodeOptions = address.tls
    ? {
        ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
        ...(certificate !== undefined && { cert: certificate }),
        ...(key !== undefined && { key }),
      }
    : {};
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: limits.clientPingMs, pingTimeoutMs: limits.clientPingMs },
    nodeOptions,
  );
  const interceptors = token === undefined ? [] : [bearer(token)];
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors,
    readMaxBytes: limits.connectMessageBytes,
  });
  return { transport, close: () => sessionManager.abort() };
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
