import type { IncomingMessage } from "node:http";
import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import { holdOf } from "./held-bytes.js";

/**
 * The whole body as text, at most limitBytes of it. Throws BODY_TOO_LARGE as soon as that is known, OVERLOADED, JSON_INVALID for
 * bytes that are no UTF-8, and OPERATION_CANCELLED when the client leaves in the middle.
 */
export function readText(request: IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = () =>
      new HostError("BODY_TOO_LARGE", `The request's body is larger than ${limitBytes} bytes.`);
    const declared = request.headers["content-length"];
    if (declared !== undefined && Number(declared) > limitBytes) {
      reject(tooLarge());
      return;
    }
    let first: Buffer | undefined;
    let rest: Buffer[] | undefined;
    let size = 0;
    let refused = false;
    const hold = holdOf(request);
    const refuse = (error: unknown) => {
      // What still comes is somebody else's to throw away; here nothing of it is kept.
      refused = true;
      first = rest = undefined;
      hold.release();
      reject(HostError.from(error));
    };
    request.on("data", (chunk: Buffer) => {
      if (refused) return;
      size += chunk.length;
      if (size > limitBytes) return refuse(tooLarge());
      try {
        hold.add(chunk.length);
      } catch (error) {
        return refuse(error);
      }
      if (first === undefined) first = chunk;
      else (rest ??= [first]).push(chunk);
    });
    request.on("end", () => {
      const body = rest === undefined ? first : Buffer.concat(rest, size);
      first = rest = undefined;
      resolve(body === undefined ? "" : decodeUtf8(body, "Unparseable JSON body: it"));
    });
    // Also after a complete one; then there is nothing left to reject. An aborted request is closed without an end.
    request.on("close", () => {
      if (!request.complete)
        reject(
          new HostError("OPERATION_CANCELLED", "The client left before its request was complete."),
        );
    });
  });
}

/** The body as it comes; OPERATION_CANCELLED when the client leaves in the middle, the signal's reason when that aborts, STREAM_IDLE when nothing comes for so long. */
export async function* bodyChunks(
  request: IncomingMessage,
  idleMs: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const stop = () => request.destroy(HostError.from(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(
    () =>
      request.destroy(
        new HostError(
          "STREAM_IDLE",
          `Nothing came for ${idleMs / 1000} s, so the request was ended.`,
        ),
      ),
    idleMs,
  );
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      yield chunk;
      timer.refresh();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HostError) throw error;
    throw new HostError("OPERATION_CANCELLED", "The client left before its request was complete.", {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
