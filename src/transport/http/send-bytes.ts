import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { HostError } from "../../errors.js";

/**
 * Sends a body with backpressure. Throws an error that occurs before the headers were sent; a later
 * one closes the connection. Also closes it if the client reads nothing for idleMs milliseconds.
 */
export async function sendBytes(
  bytes: AsyncIterable<Buffer>,
  response: ServerResponse,
  idleMs: number,
): Promise<void> {
  // A client that reads nothing would hold the source forever.
  response.setTimeout(idleMs, () => response.destroy(new Error("client read nothing")));
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // The client disconnected or the source failed; the error can no longer be reported to the
    // client.
    if (!response.destroyed) response.destroy();
    if (!response.headersSent) throw error;
  }
}

/** Throws OPERATION_CANCELLED if the client disconnected before the response was complete. */
export function requireSent(response: ServerResponse): void {
  if (response.destroyed && !response.writableFinished)
    throw new HostError("OPERATION_CANCELLED", "The client disconnected.");
}

/**
 * Evaluates If-Range: whether a range may be sent. A client that holds part of another version must
 * get the whole.
 */
export function allowsRange(request: IncomingMessage, etag: string): boolean {
  const condition = request.headers["if-range"];
  if (typeof condition !== "string") return true;
  if (condition.startsWith('"')) return condition === etag;
  // Two versions may be created within the resolution of a date, one second; only an ETag
  // identifies a version.
  return false;
}

/** Whether an If-Match or If-None-Match header contains the ETag. */
export function includesEtag(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
}
