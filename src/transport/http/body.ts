import type { IncomingMessage } from "node:http";
import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import { holdOf } from "./held-bytes.js";

/**
 * Reads the whole body as text, at most limitBytes. Throws BODY_TOO_LARGE as soon as the limit is
 * known to be exceeded, OVERLOADED, JSON_INVALID for bytes that are not UTF-8, and
 * OPERATION_CANCELLED if the client disconnects before the end.
 */
export function readText(request: IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = () =>
      new HostError("BODY_TOO_LARGE", `The request body exceeds the limit of ${limitBytes} bytes.`);
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
      // The rest of the body is discarded by the sender of the error response.
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
    // An aborted request is closed without an `end` event. After a complete one, reject has no
    // effect.
    request.on("close", () => {
      if (!request.complete)
        reject(
          new HostError(
            "OPERATION_CANCELLED",
            "The client disconnected before the request was complete.",
          ),
        );
    });
  });
}

/**
 * Streams the body. Throws OPERATION_CANCELLED if the client disconnects before the end, the reason
 * of the signal if it aborts, and STREAM_IDLE if nothing arrives for idleMs milliseconds.
 */
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
        new HostError("STREAM_IDLE", `Request ended: no data received for ${idleMs / 1000} s.`),
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
    throw new HostError(
      "OPERATION_CANCELLED",
      "The client disconnected before the request was complete.",
      {
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
