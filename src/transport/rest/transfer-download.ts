import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { HostError } from "../../errors.js";
import type { StreamService } from "../../service/streams.js";
import { limits } from "../../limits.js";
import { rangeOf } from "./content-range.js";

/** GET and HEAD of /v1/transfers/NAME:download: the archive, or a range of it, so that a download that was cut goes on. */
export async function sendTransfer(streams: StreamService, name: string, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const held = streams.hold(name);
  try {
    const { transfer } = held;
    const etag = `"${transfer.sha256}"`;
    const headers: Record<string, string> = {
      "accept-ranges": "bytes",
      "cache-control": "private, no-transform",
      "content-disposition": `attachment; filename="${name}.zip"`,
      "content-type": "application/zip",
      etag,
      "last-modified": new Date(Math.floor(transfer.createTimeMicros / 1000)).toUTCString(),
      "repr-digest": `sha-256=:${Buffer.from(transfer.sha256, "hex").toString("base64")}:`,
      "x-content-type-options": "nosniff",
    };
    if (names(request.headers["if-none-match"], etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const required = request.headers["if-match"];
    if (required !== undefined && required.trim() !== "*" && !names(required, etag)) {
      throw new HostError("VERSION_MISMATCH", `The transfer ${name} has another ETag than the one asked for: ${etag}.`, { metadata: { transfer: name } });
    }
    const range = request.method === "GET" && mayAnswerRange(request, etag) ? rangeOf(request.headers.range, transfer.sizeBytes) : undefined;
    const offset = range?.first ?? 0;
    const length = (range?.last ?? transfer.sizeBytes - 1) - offset + 1;
    response.writeHead(range ? 206 : 200, {
      ...headers,
      "content-length": String(length),
      ...(range && { "content-range": `bytes ${range.first}-${range.last}/${transfer.sizeBytes}` }),
    });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    await sendBytes(streams.read(held, { offset, length, pieceBytes: limits.chunkBytes }, signal), response, streams.idleMs);
  } finally {
    held.release();
  }
}

async function sendBytes(bytes: AsyncIterable<Buffer>, response: ServerResponse, idleMs: number): Promise<void> {
  // A client that reads nothing would hold the archive for ever.
  response.setTimeout(idleMs, () => response.destroy(new Error("the client took nothing")));
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // The client left, or the archive went: the connection is cut, and nobody is there to be told.
    if (!response.destroyed) response.destroy();
    if (!response.headersSent) throw error;
  }
}

/** Whether the range may be answered: a client that holds a part of another archive must get the whole. */
function mayAnswerRange(request: IncomingMessage, etag: string): boolean {
  const condition = request.headers["if-range"];
  if (typeof condition !== "string") return true;
  if (condition.startsWith('"')) return condition === etag;
  // Dates have whole seconds, and two archives may be made in one: only a tag proves that it is the same.
  return false;
}

function names(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
}
