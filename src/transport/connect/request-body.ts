import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { connectErrorOf } from "../status.js";

/** Throws BODY_TOO_LARGE where the request says that it is larger. */
export function checkLength({ headers }: IncomingMessage, limitBytes: number): void {
  checkSize(Number(headers["content-length"] ?? 0), limitBytes);
}

/**
 * The bytes of a request as they come, at most limitBytes of them; read no faster than they are asked for. Throws
 * BODY_TOO_LARGE, and OPERATION_CANCELLED when the client leaves in the
 * middle. Ending early leaves the rest unread and the connection open, so that an answer can still be sent.
 */
export async function* bytesOf(request: IncomingMessage, limitBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      checkSize((size += chunk.length), limitBytes);
      yield chunk;
    }
  } catch (thrown) {
    if (thrown instanceof HostError) throw connectErrorOf(thrown);
    if (request.complete || !request.destroyed) throw thrown;
    throw connectErrorOf(new HostError("OPERATION_CANCELLED", "The client left before its request was complete.", { cause: thrown }));
  }
}

function checkSize(bytes: number, limitBytes: number): void {
  if (bytes > limitBytes) throw new HostError("BODY_TOO_LARGE", `The request is larger than ${limitBytes} bytes.`);
}
