import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
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
import { createCrossSiteCheck } from "./cross-site.js";
import { holdUnder, releaseHold } from "./held-bytes.js";
import { observe, statusOf } from "./observe.js";
import { noSniff } from "./respond.js";
import { hostPace, watchBodies, type BodyPace } from "./stalled.js";
import { turns } from "./turns.js";

/**
 * Answers a request, or resolves to false without having touched it. The signal aborts when the client is gone or the
 * server's grace at its end is over; it is made when it is first asked for, since a write has no use for one and
 * making it costs a tenth of what a write costs here. What a handler throws goes to sendError.
 */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  signal: () => AbortSignal,
) => Promise<boolean>;

export interface HttpServerOptions {
  /** The address to listen on. */
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Names that a Host header may carry; anything else is refused before a handler sees it. */
  hostNames: HostNames;
  /** Origins whose pages may ask, or "*"; those of every other site are refused. Absent: none. */
  corsOrigins?: readonly string[];
  /** Whether a body of any size may be sent to a target: it is not kept in memory. */
  takesStreams?: (url: string) => boolean;
  /** Asked in turn until one answers. */
  handlers: readonly HttpHandler[];
  /** Writes an error as an answer; nothing was sent yet. */
  sendError: (request: IncomingMessage, response: ServerResponse, error: HostError) => void;
  /** What is shared with other ports. Absent: a port of its own, without tokens. */
  admission?: Admission;
  /** Hears of each request when it is over, and counts them under their names. */
  observer?: { requests: RequestObserver; nameOf: (method: string, url: string) => RequestName };
  /** Absent: plain HTTP. */
  tls?: TlsIdentity | undefined;
  /** Absent: that of limits.ts. */
  bodyPace?: BodyPace;
  /** A failure that nobody can be told of any more, or that is our own fault; for the log. */
  onInternalError?: (thrown: unknown) => void;
  /** Hears of a request whose target or sender's page was refused. */
  onRefused?: (request: IncomingMessage, error: HostError) => void;
}

export interface HttpServer {
  /** Resolves when connections are accepted. */
  open(): Promise<{ host: string; port: number }>;
  /** The next handshake shows and asks for these. Nothing without TLS. */
  replaceTls(tls: TlsIdentity): void;
  /** Accepts nothing more, lets requests in flight finish for the grace, then cuts them. */
  close(graceMs?: number): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const {
    handlers,
    hostNames,
    takesStreams = () => false,
    sendError,
    onInternalError,
    observer,
    admission = openAdmission(),
  } = options;
  const active: InFlight[] = [];
  const checkCrossSite = createCrossSiteCheck(options.corsOrigins ?? []);
  let closing = false;

  const settings = {
    headersTimeout: limits.headersTimeoutMs,
    // It would cut a stream however fast it comes; bodies are watched below.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleConnectionMs,
    connectionsCheckingInterval: limits.connectionCheckMs,
    maxHeaderSize: limits.headerBytes,
    noDelay: true,
  };
  const tlsServer = options.tls && createTlsServer({ ...settings, ...tlsSettings(options.tls) });
  const server = tlsServer ?? createServer(settings);
  let bodies: ReturnType<typeof watchBodies> | undefined;
  const connections = connectionsOf(admission);
  server.on("connection", (socket: Socket) => connections.add(socket));
  server.on("request", accept);
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    // A client that asks first is told to go on only with what can be taken; otherwise the refusal is its answer.
    if (
      Number(request.headers["content-length"] ?? 0) <= limits.documentBytes ||
      takesStreams(request.url ?? "")
    )
      response.writeContinue();
    accept(request, response);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Of a request that is being answered the rest will never come: whoever reads its body must hear of that.
    if (active.some(({ response }) => response.socket === socket && !response.req.complete)) {
      socket.destroy();
      return;
    }
    turns.take(socket, undefined, () => refuseConnection(error, socket));
  });

  function accept(request: IncomingMessage, response: ServerResponse): void {
    response.sendDate = false;
    if (closing) response.shouldKeepAlive = false;
    if (observer?.requests.active) observe(observer.requests, request, response);
    turns.take(request.socket, response, () => {
      const flight: InFlight = { response, controller: undefined, place: active.length };
      active.push(flight);
      const { remoteAddress, remotePort } = request.socket;
      const connection = connections.find(remoteAddress, remotePort);
      if (connection) connections.begin(connection);
      const { client, delayMs } = admit(
        admission,
        connections,
        connection,
        bearerTokenOf(request.headers.authorization),
        remoteAddress,
      );
      holdUnder(request, () => admission.shares.bytes.open(client));
      const ended = observer?.requests.counter.begin(
        observer.nameOf(request.method ?? "", request.url ?? ""),
      );
      response.on("close", () => {
        leave(active, flight);
        releaseHold(request);
        if (connection) connections.end(connection);
        ended?.(statusOf(response));
        if (!response.writableFinished) flight.controller?.abort();
        if (closing) server.closeIdleConnections();
      });
      const begin = () => void answer(request, response, () => signalOf(flight));
      if (delayMs === 0) begin();
      else setTimeout(begin, delayMs);
    });
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    signal: () => AbortSignal,
  ): Promise<void> {
    try {
      checkTarget(request);
      for (const handler of handlers) if (await handler(request, response, signal)) return;
      throw new HostError("ROUTE_NOT_FOUND", `Service not found: ${request.url}`);
    } catch (thrown) {
      const error = HostError.from(thrown);
      if (error.reason === "HOST_HEADER_REFUSED" || error.reason === "CROSS_SITE_REFUSED")
        options.onRefused?.(request, error);
      const untold = causeToLog(error);
      if (untold !== undefined) onInternalError?.(untold);
      // Half an answer must not look like a whole one.
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) sendError(request, response, error);
    }
  }

  function checkTarget(request: IncomingMessage): void {
    const name = request.headers.host;
    if (name !== undefined && !hostNames.allows(name)) {
      throw new HostError(
        "HOST_HEADER_REFUSED",
        `This host does not answer to the name ${JSON.stringify(name.slice(0, 200))}.`,
      );
    }
    // node:http takes the first of several; a proxy before us may have gone by another one.
    if (hasSeveral(request.rawHeaders, "host"))
      throw new HostError("REQUEST_INVALID", "The request has several Host headers; send one.", {
        metadata: { field: "host" },
      });
    checkCrossSite(request);
    if (!request.url?.startsWith("/"))
      throw new HostError("REQUEST_INVALID", "The request target must be a path.");
  }

  return {
    open() {
      return new Promise((resolve, reject) => {
        server.once("error", (cause: NodeJS.ErrnoException) => {
          const where = `${options.host}:${options.port}`;
          reject(
            new HostError(
              "CONFIGURATION_INVALID",
              `Cannot listen on ${where}: ${cause.code ?? "unknown error"}.`,
              { cause },
            ),
          );
        });
        server.listen(options.port, options.host, () => {
          bodies = watchBodies(
            () => active.map(({ response }) => response),
            options.bodyPace ?? hostPace,
          );
          const { address, port } = server.address() as AddressInfo;
          resolve({ host: address, port });
        });
      });
    },

    replaceTls({ certificate, key, clientCa }) {
      tlsServer?.setSecureContext({
        cert: certificate,
        key,
        minVersion: "TLSv1.2",
        ...(clientCa !== undefined && { ca: clientCa }),
      });
    },

    async close(graceMs = limits.shutdownMs) {
      closing = true;
      for (const { response } of active) response.shouldKeepAlive = false;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // A connection that never said a word is not idle to node:http; it would hold the close up to its timeout.
      const busy = new Set(
        active.flatMap(({ response: { socket } }) => (socket ? [addressOf(socket)] : [])),
      );
      for (const socket of connections.sockets())
        if (options.tls ? !busy.has(addressOf(socket)) : socket.bytesRead === 0) socket.destroy();
      const timer = setTimeout(() => {
        for (const { controller } of active) controller?.abort();
        server.closeAllConnections();
        // Those that are still shaking hands are none to node:https.
        for (const socket of connections.sockets()) socket.destroy();
      }, graceMs);
      await closed;
      bodies?.stop();
      connections.stop();
      clearTimeout(timer);
    },
  };
}

/** Whether a header came more than once; of names and values in turn, as they came. */
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
    handshakeTimeout: limits.silentConnectionMs,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

/** Below TLS a request has another socket than its connection; what they share is who is at the other end. */
function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

interface InFlight {
  response: ServerResponse;
  controller: AbortController | undefined;
  /** Its index among those in flight. */
  place: number;
}

/** An array and not a Set: a Set that is added to and deleted from all the time leaves much for the garbage collector. */
function leave(active: InFlight[], flight: InFlight): void {
  const last = active.pop();
  if (last === undefined || last === flight) return;
  active[flight.place] = last;
  last.place = flight.place;
}

function signalOf(flight: InFlight): AbortSignal {
  flight.controller ??= new AbortController();
  if (flight.response.destroyed && !flight.response.writableFinished) flight.controller.abort();
  return flight.controller.signal;
}

/** What is no HTTP at all, or too slow or too large to be read, has no request to answer. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Who does not get through the handshake could not read an answer.
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
