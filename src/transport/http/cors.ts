import { cors } from "@connectrpc/connect";
import type { IncomingMessage } from "node:http";
import { limits } from "../../limits.js";
import { noSniff } from "./respond.js";
import type { HttpHandler } from "./server.js";

const methods = [...new Set([...cors.allowedMethods, "HEAD", "PUT", "PATCH", "DELETE"])].join(", ");
const requestHeaders = [
  ...new Set([
    ...cors.allowedHeaders,
    "Authorization",
    "If-Match",
    "X-Requested-With",
    "If-None-Match",
    "If-Range",
    "Range",
    "Content-Range",
    "Prefer",
    "Repr-Digest",
  ]),
].join(", ");
const exposedHeaders = [
  ...new Set([
    ...cors.exposedHeaders,
    "ETag",
    "Retry-After",
    "Allow",
    "WWW-Authenticate",
    "Location",
    "Preference-Applied",
    "Content-Range",
    "Accept-Ranges",
    "Repr-Digest",
  ]),
].join(", ");

const paths = /^\/(?:v1(?:[/?]|$)|(?:holdfast|google|grpc)\.)/;

/** What pages of other origins may be allowed to ask: Connect, gRPC-Web and /v1. The Xenon dialect is for scripts. */
export function mayBeAskedByPages(url: string): boolean {
  return paths.test(url);
}

/**
 * Lets pages of the origins given ask this host: answers their preflights, and sets headers on what later handlers
 * answer. Nothing is said to others. Cookies and client certificates are never allowed for: pages send tokens.
 */
export function createCors(origins: readonly string[]): HttpHandler {
  const any = origins.includes("*");
  const known = new Set(origins);
  return async (request, response) => {
    if (!mayBeAskedByPages(request.url ?? "")) return false;
    const { origin } = request.headers;
    // A cache must not give the answer for one origin to another.
    if (!any) response.setHeader("vary", "Origin");
    const allowed = origin !== undefined && (any || known.has(origin));
    if (allowed) response.setHeader("access-control-allow-origin", any ? "*" : origin);
    if (!isPreflight(request)) {
      if (allowed) response.setHeader("access-control-expose-headers", exposedHeaders);
      return false;
    }
    const permission = [
      "access-control-allow-methods",
      methods,
      "access-control-allow-headers",
      requestHeaders,
      "access-control-max-age",
      String(limits.preflightSeconds),
    ];
    response.writeHead(204, allowed ? [...permission, ...noSniff] : [...noSniff]).end();
    return true;
  };
}

function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined
  );
}
