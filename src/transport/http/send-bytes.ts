import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { HostError } from "../../errors.js";

/** Sends a body as fast as the client takes it. A failure in the middle cuts the connection; before the head was sent it is thrown. */
export async function sendBytes(
  bytes: AsyncIterable<Buffer>,
  response: ServerResponse,
  idleMs: number,
): Promise<void> {
  // A client that reads nothing would hold what is sent for ever.
  response.setTimeout(idleMs, () => response.destroy(new Error("the client took nothing")));
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // The client left, or the bytes went: the connection is cut, and nobody is there to be told.
    if (!response.destroyed) response.destroy();
    if (!response.headersSent) throw error;
  }
}

/** OPERATION_CANCELLED where the client left before it had all of an answer: for who has to tell what was sent. */
export function requireSent(response: ServerResponse): void {
  if (response.destroyed && !response.writableFinished)
    throw new HostError("OPERATION_CANCELLED", "The caller left.");
}

/** Whether a range may be answered: a client that holds a part of another version must get the whole. */
export function mayAnswerRange(request: IncomingMessage, etag: string): boolean {
  const condition = request.headers["if-range"];
  if (typeof condition !== "string") return true;
  if (condition.startsWith('"')) return condition === etag;
  // Dates have whole seconds, and two versions may be made in one: only a tag proves that it is the same.
  return false;
}

/** Whether an If-Match or If-None-Match header names the tag. */
export function namesTag(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
}
