import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/**
 * Reads the body of a request as text. Rejects with BODY_TOO_LARGE once it is known to be over the limit (bytes),
 * before it has all come, and with REQUEST_INVALID or JSON_INVALID for what is no JSON text by its headers or encoding.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop must not destroy the request: with it would go the connection that the answer takes.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  if (size > 0) checkHeaders(request);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks, size));
  } catch (error) {
    throw new HostError("JSON_INVALID", "The body is not UTF-8.", { cause: error });
  }
}

function tooLarge(maxBytes: number): HostError {
  return new HostError("BODY_TOO_LARGE", `The body is over ${maxBytes} bytes.`, { metadata: { maxBytes: String(maxBytes) } });
}

/** A page of another site can make a browser send a form or plain text here without being asked, but not JSON. */
function checkHeaders({ headers }: IncomingMessage) {
  const type = headers["content-type"] ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new HostError("REQUEST_INVALID", `The body has to be JSON, and the Content-Type header has to say so: application/json, not ${type || "nothing"}.`);
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw new HostError("REQUEST_INVALID", `A body encoded as ${encoding} is not understood; send it as it is.`);
}
