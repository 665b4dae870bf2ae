import type { IncomingMessage, ServerResponse } from "node:http";
import { HostError } from "../../errors.js";
import { rangeOf } from "./content-range.js";
import { allowsRange, includesEtag, sendBytes } from "./send-bytes.js";

/** Content that can be requested whole or in part. */
export interface Representation {
  /** For messages, for example `Transfer N`. */
  name: string;
  sizeBytes: number;
  /** Quoted ETag; identifies the exact bytes. */
  etag: string;
  lastModifiedMs: number;
  /** Additional headers. */
  headers: Record<string, string>;
  /** Reads the bytes from `offset` up to but excluding `end`. */
  bytes(offset: number, end: number): AsyncIterable<Buffer>;
  /** Time after which the connection is closed if the client reads nothing, in milliseconds. */
  idleMs: number;
}

/**
 * Responds to GET and HEAD as specified by RFC 9110: 206 with the requested range, 416, 304 and 412
 * by conditions, or 200 with the whole content if the Range has several ranges or another unit, or
 * If-Range names another version.
 */
export async function sendRepresentation(
  request: IncomingMessage,
  response: ServerResponse,
  { name, sizeBytes, etag, lastModifiedMs, headers: more, bytes, idleMs }: Representation,
): Promise<void> {
  const headers = {
    "accept-ranges": "bytes",
    "cache-control": "private, no-transform",
    etag,
    "last-modified": new Date(lastModifiedMs).toUTCString(),
    "x-content-type-options": "nosniff",
    ...more,
  };
  if (includesEtag(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const required = request.headers["if-match"];
  if (required !== undefined && required.trim() !== "*" && !includesEtag(required, etag)) {
    throw new HostError(
      "VERSION_MISMATCH",
      `${name} does not match If-Match: its ETag is ${etag}.`,
    );
  }
  const range =
    request.method === "GET" && allowsRange(request, etag)
      ? rangeOf(request.headers.range, sizeBytes)
      : undefined;
  const offset = range?.first ?? 0;
  const end = (range?.last ?? sizeBytes - 1) + 1;
  response.writeHead(range ? 206 : 200, {
    // Precedes the length, as in Xenon.
    ...(range && { "content-range": `bytes ${range.first}-${range.last}/${sizeBytes}` }),
    "content-length": String(end - offset),
    ...headers,
  });
  if (request.method === "HEAD" || end === offset) response.end();
  else await sendBytes(bytes(offset, end), response, idleMs);
}
