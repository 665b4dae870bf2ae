import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { checkAddress, createLookup, type AddressPolicy } from "../network/address-policy.js";
import { fromRequestError, type ServerName } from "../network/failure.js";
import type { HttpUri } from "./uri.js";
import type { ClientTls } from "../network/tls.js";

/** A request for the file. */
export interface FileRequest {
  method: "GET" | "PUT" | "POST";
  headers: Record<string, string>;
  /** Sends the body, and resolves when all bytes were written. Requires a Content-Length header. */
  send?(write: (bytes: Uint8Array) => Promise<void>): Promise<void>;
  /** Time without traffic after which the request fails. */
  idleTimeoutMs: number;
}

/** A client for one file on a web server, with its own connections. */
export interface HttpFileClient {
  /** Name of the server for messages, without credentials. */
  readonly name: ServerName;
  /**
   * Sends a request and calls `use` with the response. `use` may read a part of the body; the rest is
   * discarded. Throws DESTINATION_UNREACHABLE or DESTINATION_REFUSED, or the error of `use`.
   */
  request<T>(
    request: FileRequest,
    signal: AbortSignal,
    use: (response: HttpResponse) => Promise<T>,
  ): Promise<T>;
  /** Closes the connections. */
  close(): void;
}

/** A response. */
export interface HttpResponse {
  status: number;
  /** Returns a header by its name in lower case. */
  header(name: string): string | undefined;
  /** The body. Throws if the connection ends early. */
  body: AsyncIterable<Buffer>;
}

/** Options of an HttpFileClient. */
export interface ClientOptions {
  /** Role of the server in messages, for example `The destination`. */
  role: string;
  policy: AddressPolicy;
  tls: ClientTls;
  /** Bearer token of the Authorization header. */
  bearer?: string;
}

/**
 * Creates a client. Throws ADDRESS_NOT_ALLOWED if the URI contains an address that is not allowed.
 */
export function openHttpFileClient(
  uri: HttpUri,
  { role, policy, tls, bearer }: ClientOptions,
): HttpFileClient {
  const name = `${role} ${uri.shown}`;
  // Node does not call `lookup` for an address.
  if (isIP(uri.hostname)) checkAddress(policy, uri.hostname, uri.port, uri.hostname);
  const agentOptions = { keepAlive: true, maxSockets: limits.httpRequests };
  const agent = uri.secure
    ? new HttpsAgent({ ...agentOptions, ...tls })
    : new HttpAgent(agentOptions);
  const common: RequestOptions = {
    host: uri.hostname,
    port: uri.port,
    path: uri.target,
    agent,
    lookup: createLookup(policy, uri.port),
    setHost: false,
  };
  const headersOf = ({ headers }: FileRequest) => ({
    host: uri.authority,
    ...headers,
    // Not sent to another origin, because redirects are not followed.
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  });

  async function request<T>(
    fileRequest: FileRequest,
    signal: AbortSignal,
    use: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const outgoing = (uri.secure ? httpsRequest : httpRequest)({
      ...common,
      method: fileRequest.method,
      headers: headersOf(fileRequest),
    });
    const idleTimer = startIdleTimer(fileRequest.idleTimeoutMs, () => {
      outgoing.destroy(
        new HostError(
          "DESTINATION_UNREACHABLE",
          `${name} timed out: no traffic on a ${fileRequest.method} for ${Math.round(fileRequest.idleTimeoutMs) / 1000} s.`,
        ),
      );
    });
    const abort = () => outgoing.destroy();
    signal.addEventListener("abort", abort, { once: true });
    // Later errors are consequences of the first one.
    let firstError: unknown;
    outgoing.on("error", (error) => (firstError ??= error));
    const wire: Wire = {
      outgoing,
      touch: idleTimer.touch,
      problemOf: (error) => fromRequestError(firstError ?? error, name),
    };
    let processingResponses = 0;
    // 102 Processing counts as traffic.
    outgoing.on("information", () => {
      processingResponses += 1;
      if (processingResponses <= limits.httpProcessingResponses) idleTimer.touch();
    });
    const head = headOf(wire);
    const sent = sendBody(wire, fileRequest);
    // Only the first of two failures is handled.
    for (const promise of [head, sent]) promise.catch(() => {});
    try {
      // A response may arrive before the whole body was sent, and sending may fail without a
      // response.
      const response = await Promise.race([head, sent.then(() => head)]);
      const body = bodyOf(wire, response);
      const result = await use({
        status: response.statusCode ?? 0,
        header: (header) => headerOf(response, header),
        body,
      });
      await sent;
      await drain(response, bodyOf(wire, response));
      return result;
    } catch (error) {
      outgoing.destroy();
      if (signal.aborted) throw signal.reason;
      throw error;
    } finally {
      idleTimer.stop();
      signal.removeEventListener("abort", abort);
    }
  }

  return { name, request, close: () => agent.destroy() };
}

/** A request in flight. */
interface Wire {
  outgoing: ClientRequest;
  /** Reports traffic. */
  touch(): void;
  /** Converts an error of the connection. */
  problemOf(error: unknown): Error;
}

const closedEarly = () => Object.assign(new Error("closed"), { code: "ECONNRESET" });

async function sendBody(
  { outgoing, touch, problemOf }: Wire,
  { send }: FileRequest,
): Promise<void> {
  await send?.(
    (bytes) =>
      new Promise((written, failed) => {
        const onClose = () => failed(problemOf(closedEarly()));
        if (outgoing.destroyed) return onClose();
        outgoing.once("close", onClose);
        outgoing.write(bytes, (error) => {
          outgoing.off("close", onClose);
          touch();
          if (error) failed(problemOf(error));
          else written();
        });
      }),
  );
  outgoing.end();
}

function headOf({ outgoing, touch, problemOf }: Wire): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", (response) => {
      touch();
      // The stream reports the error again when its body is read.
      response.on("error", () => {});
      resolve(response);
    });
    outgoing.once("error", (error) => reject(problemOf(error)));
    outgoing.once("close", () => reject(problemOf(closedEarly())));
  });
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Reads the body. Stopping early closes the connection. */
async function* bodyOf(
  { touch, problemOf }: Wire,
  response: IncomingMessage,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      touch();
      yield chunk;
      touch();
    }
  } catch (error) {
    throw problemOf(error);
  }
}

/**
 * Reads the rest of a response, so that its connection can be reused, unless the rest is too long.
 */
async function drain(response: IncomingMessage, rest: AsyncIterable<Buffer>): Promise<void> {
  let drained = 0;
  if (response.readableEnded || response.destroyed) return;
  for await (const chunk of rest) {
    drained += chunk.length;
    if (drained > limits.httpDrainBytes) return;
  }
}

function startIdleTimer(
  idleTimeoutMs: number,
  onTimeout: () => void,
): { touch(): void; stop(): void } {
  const timer = setTimeout(onTimeout, idleTimeoutMs);
  return { touch: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}
