import type { IncomingMessage, ServerResponse } from "node:http";
import { HostError } from "../../errors.js";
import { rangeOf } from "./content-range.js";
import { mayAnswerRange, namesTag, sendBytes } from "./send-bytes.js";

/** Bytes that can be asked for whole or in part. */
export interface Representation {
  /** For messages, for example `The transfer N`. */
  name: string;
  sizeBytes: number;
  /** In its quotes; another one for other bytes. */
  etag: string;
  lastModifiedMs: number;
  /** Beside those that every representation has. */
  headers: Record<string, string>;
  /** The bytes from the offset, before the end. */
  bytes(offset: number, end: number): AsyncIterable<Buffer>;
  /** A client that takes nothing for so long is cut. */
  idleMs: number;
}

/**
 * Answers GET and HEAD as RFC 9110 has it: 206 and the range asked for, 416, 304 and 412 by conditions, or 200 and the whole where
 * the Range is of several ranges, of another unit, or of another version than If-Range names.
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
  if (namesTag(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const required = request.headers["if-match"];
  if (required !== undefined && required.trim() !== "*" && !namesTag(required, etag)) {
    throw new HostError(
      "VERSION_MISMATCH",
      `${name} has another ETag than the one asked for: ${etag}.`,
    );
  }
  const range =
    request.method === "GET" && mayAnswerRange(request, etag)
      ? rangeOf(request.headers.range, sizeBytes)
      : undefined;
  const offset = range?.first ?? 0;
  const end = (range?.last ?? sizeBytes - 1) + 1;
  response.writeHead(range ? 206 : 200, {
    // Before the length: the order in which Xenon's clients know them.
    ...(range && { "content-range": `bytes ${range.first}-${range.last}/${sizeBytes}` }),
    "content-length": String(end - offset),
    ...headers,
  });
  if (request.method === "HEAD" || end === offset) response.end();
  else await sendBytes(bytes(offset, end), response, idleMs);
}
