import { cors } from "@connectrpc/connect";
import type { IncomingMessage } from "node:http";
import { limits } from "../../limits.js";
import { noSniff } from "./respond.js";
import type { HttpHandler } from "./handler.js";

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

/** Whether CORS applies to a URL: Connect, gRPC-Web and /v1. The Xenon API is for scripts only. */
export function allowsCors(url: string): boolean {
  return paths.test(url);
}

/**
 * Returns a handler that answers preflights from the given origins and adds CORS headers to the
 * responses of later handlers. Other origins get no CORS headers. Credentials (cookies, client
 * certificates) are never allowed: pages authenticate with tokens.
 */
export function createCors(origins: readonly string[]): HttpHandler {
  const any = origins.includes("*");
  const known = new Set(origins);
  return async (request, response) => {
    if (!allowsCors(request.url ?? "")) return false;
    const { origin } = request.headers;
    // Prevents caches from serving the response for one origin to another.
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
