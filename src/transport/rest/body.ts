import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { readText } from "../http/body.js";

/**
 * Reads the body of a request as text, "" for none. Rejects with BODY_TOO_LARGE once it is known to be over the limit
 * (bytes), before it has all come, and with REQUEST_INVALID or JSON_INVALID for what is no JSON text.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  if (!hasBody(request)) return "";
  const text = await readText(request, maxBytes);
  if (text !== "") checkHeaders(request);
  return text;
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** A page of another site can make a browser send a form or plain text here without being asked, but not JSON. */
function checkHeaders({ headers }: IncomingMessage) {
  const type = headers["content-type"] ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new HostError(
      "REQUEST_INVALID",
      `The body has to be JSON, and the Content-Type header has to say so: application/json, not ${type || "nothing"}.`,
    );
  }
  checkEncoding(headers);
}

/** REQUEST_INVALID for a body that is compressed or the like. */
export function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new HostError(
      "REQUEST_INVALID",
      `A body encoded as ${encoding} is not understood; send it as it is.`,
    );
}
