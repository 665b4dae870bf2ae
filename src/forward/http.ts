import { request as requestHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";
import type { Member } from "../engine/engine.js";
import type { Answerer, RequestTarget } from "../transport/http/answerer.js";
import type { HttpHandler } from "../transport/http/handler.js";
import { canAsk, forwardedBy, targetOf, watchRequest, type Leader } from "./leader.js";

/** Options of forwardHttp. */
export interface ForwardHttpOptions {
  leader: Leader;
  /** TLS options of node:https for connections to other hosts. */
  tls: { ca?: string[]; cert?: string; key?: string };
  /** Which host answers a request: the leader, the one with an ID, or, undefined, each. */
  answeredBy(request: RequestTarget): Answerer | undefined;
}

/** Headers of one connection, and of the browser that this host has answered for. */
const own = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "host", "expect", "origin", "referer"],
]);

/** Forwards requests that another host answers, bodies of any size included. */
export function forwardHttp(options: ForwardHttpOptions): HttpHandler {
  const { leader, tls, answeredBy } = options;
  return async (request, response, signal) => {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const answering = answeredBy({ method: request.method ?? "GET", path, query });
    if (answering === undefined) return false;
    const mark = String(request.headers[forwardedBy] ?? "");
    const member =
      answering === "leader"
        ? targetOf(leader, mark)
        : mark === ""
          ? leader.members().find((one) => one.id === answering.hostId && canAsk(leader, one))
          : undefined;
    if (!member) return false;
    const watched = watchRequest(leader, member, signal());
    try {
      await forward(request, response, member, {
        tls,
        hostId: leader.hostId,
        signal: watched.signal,
      });
    } catch (thrown) {
      throw watched.errorOf(thrown, request.method === "GET" || request.method === "HEAD");
    } finally {
      watched.end();
    }
    return true;
  };
}

async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  member: Member,
  { tls, hostId, signal }: { tls: ForwardHttpOptions["tls"]; hostId: string; signal: AbortSignal },
): Promise<void> {
  const url = new URL(`${member.addresses.tls ? "https" : "http"}://${member.addresses.http}`);
  const options = {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    path: request.url,
    method: request.method,
    headers: { ...passed(request.headers), [forwardedBy]: hostId },
    signal,
  };
  const sent = member.addresses.tls ? requestHttps({ ...options, ...tls }) : requestHttp(options);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
  });
  // The leader may answer before it has read the body.
  const body = pipeline(request, sent).catch(() => {});
  const answer = await answered;
  response.writeHead(answer.statusCode ?? 502, passed(answer.headers));
  await pipeline(answer, response);
  await body;
}

const passed = (headers: IncomingMessage["headers"]) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) => value !== undefined && !own.has(name) && !name.startsWith("sec-fetch-"),
    ),
  );
