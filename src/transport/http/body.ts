import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/**
 * The whole body as text, at most limitBytes of it. Throws BODY_TOO_LARGE as soon as that is known, JSON_INVALID for
 * bytes that are no UTF-8, and OPERATION_CANCELLED when the client leaves in the middle.
 */
export function readText(request: IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => new HostError("BODY_TOO_LARGE", `The request's body is larger than ${limitBytes} bytes.`);
    const declared = request.headers["content-length"];
    if (declared !== undefined && Number(declared) > limitBytes) {
      reject(tooLarge());
      return;
    }
    let first: Buffer | undefined;
    let rest: Buffer[] | undefined;
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) {
        // What still comes is somebody else's to throw away; here nothing of it is kept.
        first = rest = undefined;
        reject(tooLarge());
      } else if (first === undefined) first = chunk;
      else (rest ??= [first]).push(chunk);
    });
    request.on("end", () => {
      const body = rest === undefined ? first : Buffer.concat(rest, size);
      if (body === undefined) resolve("");
      else if (isUtf8(body)) resolve(body.toString());
      else reject(new HostError("JSON_INVALID", "Unparseable JSON body: it is not UTF-8."));
    });
    // Also after a complete one; then there is nothing left to reject. An aborted request is closed without an end.
    request.on("close", () => {
      if (!request.complete) reject(new HostError("OPERATION_CANCELLED", "The client left before its request was complete."));
    });
  });
}

/** The body as it comes; OPERATION_CANCELLED when the client leaves in the middle, the signal's reason when that aborts, STREAM_IDLE when nothing comes for so long. */
export async function* bodyChunks(request: IncomingMessage, idleMs: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = () => request.destroy(HostError.from(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => request.destroy(new HostError("STREAM_IDLE", `Nothing came for ${idleMs / 1000} s, so the request was ended.`)), idleMs);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      yield chunk;
      timer.refresh();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HostError) throw error;
    throw new HostError("OPERATION_CANCELLED", "The client left before its request was complete.", { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
