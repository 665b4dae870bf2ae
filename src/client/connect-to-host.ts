import { rootCertificates } from "node:tls";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { formatAddress, type HostAddress } from "./host-address.js";
import { limits } from "../limits.js";

export interface ConnectionOptions {
  address: HostAddress;
  token?: string;
  /** PEM texts: authorities beside Node's own, and a certificate of this client with its key. */
  ca?: string;
  certificate?: string;
  key?: string;
}

export interface Connection {
  transport: Transport;
  /** Ends what goes on over the connection; it does not wait for the other end. */
  close(): void;
}

/** A connection to a host's gRPC port, made with the first call. */
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
