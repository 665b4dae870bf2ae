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
import { checkAddress, lookupUnder, type AddressPolicy } from "./address-policy.js";
import { fromRequestError, type EndName } from "./failure.js";
import type { HttpUri } from "./uri.js";
import type { ClientTls } from "./tls.js";

export interface PeerRequest {
  method: "GET" | "PUT";
  headers: Record<string, string>;
  /** Sends the body; whoever gives one gives its Content-Length too. Resolves when all of it was handed over. */
  send?(write: (bytes: Uint8Array) => Promise<void>): Promise<void>;
  silenceMs: number;
}

/** One file on another web server, over connections of its own. */
export interface HttpFileClient {
  /** For messages: without credentials. */
  readonly name: EndName;
  /**
   * Sends one request and hands its answer to `use`, which reads as much of the body as it wants; the rest is dropped.
   * Whatever breaks is a HostError: DESTINATION_UNREACHABLE or DESTINATION_REFUSED, or what `use` throws.
   */
  ask<T>(
    request: PeerRequest,
    signal: AbortSignal,
    use: (answer: Answer) => Promise<T>,
  ): Promise<T>;
  close(): void;
}

export interface Answer {
  status: number;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
  /** The body as it comes; ends early, with an error, where the connection does. */
  body: AsyncIterable<Buffer>;
}

export interface PeerOptions {
  /** What it is to the user, for example `The destination`. */
  role: string;
  policy: AddressPolicy;
  tls: ClientTls;
  bearer?: string;
}

export function openHttpFileClient(
  uri: HttpUri,
  { role, policy, tls, bearer }: PeerOptions,
): HttpFileClient {
  const name = `${role} ${uri.shown}`;
  // A literal address is connected to without being looked up.
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
    lookup: lookupUnder(policy, uri.port),
    setHost: false,
  };
  const headersOf = (request: PeerRequest) => ({
    host: uri.authority,
    ...request.headers,
    // No other origin ever hears it: redirects are not followed.
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  });

  async function ask<T>(
    request: PeerRequest,
    signal: AbortSignal,
    use: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const outgoing = (uri.secure ? httpsRequest : httpRequest)({
      ...common,
      method: request.method,
      headers: headersOf(request),
    });
    const silence = watch(request.silenceMs, () => {
      outgoing.destroy(
        new HostError(
          "DESTINATION_UNREACHABLE",
          `${name} fell silent: nothing moved on a ${request.method} for ${Math.round(request.silenceMs) / 1000} s.`,
        ),
      );
    });
    const abort = () => outgoing.destroy();
    signal.addEventListener("abort", abort, { once: true });
    // The first thing that broke: what comes after it is only its consequence.
    let broken: unknown;
    outgoing.on("error", (error) => (broken ??= error));
    const wire: Wire = {
      outgoing,
      touch: silence.touch,
      problemOf: (error) => fromRequestError(broken ?? error, name),
    };
    let noticed = 0;
    // 102 Processing: slow is not silent, for a while.
    outgoing.on("information", () => {
      noticed += 1;
      if (noticed <= limits.httpProcessingResponses) silence.touch();
    });
    const head = headOf(wire);
    const sent = sendBody(wire, request);
    // Whichever fails second is only the consequence of the first.
    for (const each of [head, sent]) each.catch(() => {});
    try {
      // An answer may come before all was sent; what cannot be sent need not wait for one.
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
      silence.stop();
      signal.removeEventListener("abort", abort);
    }
  }

  return { name, ask, close: () => agent.destroy() };
}

/** A request under way. */
interface Wire {
  outgoing: ClientRequest;
  /** Something moved. */
  touch(): void;
  /** An error of the connection in our terms. */
  problemOf(error: unknown): Error;
}

const closedEarly = () => Object.assign(new Error("closed"), { code: "ECONNRESET" });

async function sendBody(
  { outgoing, touch, problemOf }: Wire,
  { send }: PeerRequest,
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
      // An error while nothing is being read is reported by the stream to its reader.
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

/** Whoever leaves early cuts the connection. */
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

/** Reads the rest of an answer, so that its connection can be used again; a long rest is cut off. */
async function drain(response: IncomingMessage, rest: AsyncIterable<Buffer>): Promise<void> {
  let drained = 0;
  if (response.readableEnded || response.destroyed) return;
  for await (const chunk of rest) {
    drained += chunk.length;
    if (drained > limits.httpDrainBytes) return;
  }
}

function watch(silenceMs: number, onSilent: () => void): { touch(): void; stop(): void } {
  const timer = setTimeout(onSilent, silenceMs);
  return { touch: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}
