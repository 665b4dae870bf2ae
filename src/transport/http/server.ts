import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HostError, causeToLog } from "../../errors.js";
import { limits } from "../../limits.js";
import type { HostNames } from "../../security/hosts.js";
import type { TlsIdentity } from "../../security/tls.js";
import type { RequestName, RequestObserver } from "../../service/host/requests.js";
import { admit, connectionsOf, openAdmission, type Admission } from "../admission.js";
import { bearerTokenOf } from "../../api/policy/authorization.js";
import type { Connections } from "../connections.js";
import type { HttpHandler } from "./handler.js";
import { createCrossSiteCheck } from "./cross-site.js";
import { setHold, releaseHold } from "./held-bytes.js";
import { observe, statusOf } from "./observe.js";
import { noSniff } from "./respond.js";
import { hostPace, watchBodies, type BodyPace } from "./stalled.js";
import { requestQueue } from "./request-queue.js";

/** Options of HttpServer. */
export interface HttpServerOptions {
  /** Address to listen on. */
  host: string;
  /** 0 selects a free port. */
  port: number;
  /**
   * Names accepted in the Host header. Requests with other names are rejected before any handler
   * runs.
   */
  hostNames: HostNames;
  /** Origins whose pages may send requests, or "*". Default: none. */
  corsOrigins?: readonly string[];
  /** Whether a URL accepts bodies of any size because they are streamed. Default: no URL does. */
  acceptsStreams?: (url: string) => boolean;
  /** Tried in order until one handles the request. */
  handlers: readonly HttpHandler[];
  /** Sends an error response. Called only if nothing was sent yet. */
  sendError: (request: IncomingMessage, response: ServerResponse, error: HostError) => void;
  /** Admission control shared with other ports. Default: not shared, without tokens. */
  admission?: Admission;
  /** Notified of each request when it ends, and counts requests by name. */
  observer?: { requests: RequestObserver; nameOf: (method: string, url: string) => RequestName };
  /** If omitted, connections are not encrypted. */
  tls?: TlsIdentity | undefined;
  /** Minimum speed of request bodies. Default: the bounds in limits.ts. */
  bodyPace?: BodyPace;
  /** Called with internal errors, which are not reported to the client. */
  onInternalError?: (thrown: unknown) => void;
  /** Called for requests rejected because of their Host header or origin. */
  onRefused?: (request: IncomingMessage, error: HostError) => void;
}

/** An HTTP server, which does not listen before `open` is called. */
export class HttpServer {
  private readonly admission: Admission;
  private readonly tlsServer: ReturnType<typeof createTlsServer> | undefined;
  private readonly server: Server;
  private readonly connections: Connections;
  private readonly checkCrossSite: (request: IncomingMessage) => void;
  private readonly active: InFlight[] = [];
  private bodies: ReturnType<typeof watchBodies> | undefined;
  private closing = false;

  constructor(private readonly options: HttpServerOptions) {
    const { tls, corsOrigins = [], admission = openAdmission() } = options;
    this.admission = admission;
    this.checkCrossSite = createCrossSiteCheck(corsOrigins);
    this.connections = connectionsOf(admission);
    this.tlsServer = tls && createTlsServer({ ...serverSettings, ...tlsSettings(tls) });
    this.server = this.tlsServer ?? createServer(serverSettings);
    this.listenToEvents();
  }

  /**
   * Resolves when connections are accepted. Rejects with CONFIGURATION_INVALID if it cannot listen.
   */
  open(): Promise<{ host: string; port: number }> {
    const { host, port, bodyPace = hostPace } = this.options;
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        reject(
          new HostError(
            "CONFIGURATION_INVALID",
            `Cannot listen on ${host}:${port}: ${listenProblem(cause.code)}.`,
            { cause },
          ),
        );
      });
      server.listen(port, host, () => {
        this.bodies = watchBodies(() => this.active.map(({ response }) => response), bodyPace);
        const bound = server.address() as AddressInfo;
        resolve({ host: bound.address, port: bound.port });
      });
    });
  }

  /** Uses the identity from the next handshake on. Has no effect without TLS. */
  replaceTls({ certificate, key, clientCa }: TlsIdentity): void {
    this.tlsServer?.setSecureContext({
      cert: certificate,
      key,
      minVersion: "TLSv1.2",
      ...(clientCa !== undefined && { ca: clientCa }),
    });
  }

  /**
   * Stops accepting connections, waits for requests in flight up to the grace period (default:
   * limits.shutdownMs), then closes them.
   */
  async close(graceMs: number = limits.shutdownMs): Promise<void> {
    const { active, server, connections } = this;
    this.closing = true;
    for (const { response } of active) response.shouldKeepAlive = false;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    this.closeUnused();
    const timer = setTimeout(() => {
      for (const { controller } of active) controller?.abort();
      server.closeAllConnections();
      // node:https does not track connections during the handshake.
      for (const socket of connections.sockets()) socket.destroy();
    }, graceMs);
    await closed;
    this.bodies?.stop();
    connections.stop();
    clearTimeout(timer);
  }

  private listenToEvents(): void {
    const { server } = this;
    server.on("connection", (socket: Socket) => this.connections.add(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) =>
      this.accept(request, response),
    );
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      // Continue only if the size is acceptable; otherwise the client receives the error response.
      if (
        Number(request.headers["content-length"] ?? 0) <= limits.documentBytes ||
        this.options.acceptsStreams?.(request.url ?? "")
      )
        response.writeContinue();
      this.accept(request, response);
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      // If a request of this socket is in flight, its body will never be complete, and its reader
      // must be notified.
      if (
        this.active.some(({ response }) => response.socket === socket && !response.req.complete)
      ) {
        socket.destroy();
        return;
      }
      requestQueue.enqueue(socket, undefined, () => refuseConnection(error, socket));
    });
  }

  private accept(request: IncomingMessage, response: ServerResponse): void {
    const { observer } = this.options;
    response.sendDate = false;
    if (this.closing) response.shouldKeepAlive = false;
    if (observer?.requests.active) observe(observer.requests, request, response);
    requestQueue.enqueue(request.socket, response, () => this.begin(request, response));
  }

  /** Begins a request whose predecessors on the connection have ended. */
  private begin(request: IncomingMessage, response: ServerResponse): void {
    const { active, admission, connections } = this;
    const { observer } = this.options;
    const flight: InFlight = { response, controller: undefined, index: active.length };
    active.push(flight);
    const connection = connections.of(request.socket);
    if (connection) connections.begin(connection);
    const { client, delayMs } = admit(
      admission,
      connections,
      connection,
      bearerTokenOf(request.headers.authorization),
      request.socket.remoteAddress,
    );
    setHold(request, (kind) => admission.shares[kind].open(client));
    const ended = observer?.requests.counter.begin(
      observer.nameOf(request.method ?? "", request.url ?? ""),
    );
    response.on("close", () => {
      removeFlight(active, flight);
      releaseHold(request);
      if (connection) connections.end(connection);
      ended?.(statusOf(response));
      if (!response.writableFinished) flight.controller?.abort();
      if (this.closing) this.server.closeIdleConnections();
    });
    const answer = () => void this.answer(request, response, () => signalOf(flight));
    if (delayMs === 0) answer();
    else setTimeout(answer, delayMs);
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    signal: () => AbortSignal,
  ): Promise<void> {
    const { handlers, sendError, onInternalError, onRefused } = this.options;
    try {
      this.checkTarget(request);
      for (const handler of handlers) if (await handler(request, response, signal)) return;
      throw new HostError("ROUTE_NOT_FOUND", `Nothing is served at ${request.url}`);
    } catch (thrown) {
      const error = HostError.from(thrown);
      if (error.reason === "HOST_HEADER_REFUSED" || error.reason === "CROSS_SITE_REFUSED")
        onRefused?.(request, error);
      const internal = causeToLog(error);
      if (internal !== undefined) onInternalError?.(internal);
      // A partial response must not look complete.
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) sendError(request, response, error);
    }
  }

  private checkTarget(request: IncomingMessage): void {
    const name = request.headers.host;
    if (name !== undefined && !this.options.hostNames.allows(name)) {
      throw new HostError(
        "HOST_HEADER_REFUSED",
        `Host header ${JSON.stringify(name.slice(0, 200))} rejected. To allow it, start the host with --host-name.`,
      );
    }
    // node:http uses the first of several Host headers, but a proxy in front may use another.
    if (hasSeveral(request.rawHeaders, "host"))
      throw new HostError("REQUEST_INVALID", "The request has several Host headers; send one.", {
        metadata: { field: "host" },
      });
    this.checkCrossSite(request);
    if (!request.url?.startsWith("/"))
      throw new HostError("REQUEST_INVALID", "The request target must be a path.");
  }

  /**
   * Closes connections without any request. node:http does not regard them as idle; they would
   * delay the shutdown.
   */
  private closeUnused(): void {
    const busy = new Set(
      this.active.flatMap(({ response: { socket } }) => (socket ? [addressOf(socket)] : [])),
    );
    for (const socket of this.connections.sockets()) {
      const unused = this.options.tls ? !busy.has(addressOf(socket)) : socket.bytesRead === 0;
      if (unused) socket.destroy();
    }
  }
}

const serverSettings = {
  headersTimeout: limits.headersTimeoutMs,
  // Disabled: it would also limit streams that make progress. watchBodies detects stalled bodies.
  requestTimeout: 0,
  keepAliveTimeout: limits.idleConnectionMs,
  connectionsCheckingInterval: limits.connectionCheckMs,
  maxHeaderSize: limits.headerBytes,
  noDelay: true,
};

/** Whether a header occurs more than once in a list of alternating names and values. */
function hasSeveral(rawHeaders: readonly string[], name: string): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i];
    if (each?.length === name.length && each.toLowerCase() === name) count += 1;
  }
  return count > 1;
}

function tlsSettings({ certificate, key, clientCa }: TlsIdentity) {
  return {
    cert: certificate,
    key,
    minVersion: "TLSv1.2" as const,
    handshakeTimeout: limits.unauthenticatedIdleMs,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

/**
 * Identifies a connection by its remote end: with TLS, the socket of a request differs from that of
 * its connection.
 */
function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

interface InFlight {
  response: ServerResponse;
  controller: AbortController | undefined;
  /** Index in the list of requests in flight. */
  index: number;
}

/**
 * Removes in constant time from an array; a Set with frequent changes causes more garbage
 * collection.
 */
function removeFlight(active: InFlight[], flight: InFlight): void {
  const last = active.pop();
  if (last === undefined || last === flight) return;
  active[flight.index] = last;
  last.index = flight.index;
}

function signalOf(flight: InFlight): AbortSignal {
  flight.controller ??= new AbortController();
  if (flight.response.destroyed && !flight.response.writableFinished) flight.controller.abort();
  return flight.controller.signal;
}

/**
 * Rejects input that is not HTTP, or too slow or too large to parse, for which no request exists.
 */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  // A client that failed the handshake cannot read a response.
  if (
    !socket.writable ||
    error.code === "ECONNRESET" ||
    error.code?.startsWith("ERR_SSL") ||
    error.code?.startsWith("ERR_TLS")
  ) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n${noSniff.join(": ")}\r\n\r\n`,
    () => {
      (socket as Socket).destroySoon();
    },
  );
}

function listenProblem(code: string | undefined): string {
  if (code === "EADDRINUSE")
    return "the port is in use (EADDRINUSE). Stop the other program, or choose another port";
  if (code === "EACCES")
    return "the port is reserved for privileged users (EACCES). Choose a port above 1023";
  return code ?? "unknown error";
}
