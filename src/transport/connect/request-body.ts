import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { connectErrorOf } from "../status.js";

/**
 * The bytes of a request as they come, at most limitBytes of them; read no faster than they are asked for. Throws
 * BODY_TOO_LARGE, before a byte is read where the length says so, and OPERATION_CANCELLED when the client leaves in the
 * middle. Ending early leaves the rest unread and the connection open, so that an answer can still be sent.
 */
export async function* bytesOf(request: IncomingMessage, limitBytes: number): AsyncGenerator<Uint8Array> {
  const check = (bytes: number) => {
    if (bytes > limitBytes) throw connectErrorOf(new HostError("BODY_TOO_LARGE", `The request is larger than ${limitBytes} bytes.`));
  };
  check(Number(request.headers["content-length"] ?? 0));
  let size = 0;
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      check((size += chunk.length));
      yield chunk;
    }
  } catch (thrown) {
    if (request.complete || !request.destroyed) throw thrown;
    throw connectErrorOf(new HostError("OPERATION_CANCELLED", "The client left before its request was complete.", { cause: thrown }));
  }
}
