import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { readText } from "../http/body.js";

/**
 * Reads the body of a request as text, "" if absent. Rejects with BODY_TOO_LARGE as soon as
 * the limit in bytes is known to be exceeded, and with REQUEST_INVALID or JSON_INVALID if the body
 * is not JSON text.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  if (!hasBody(request)) return "";
  const text = await readText(request, maxBytes);
  if (text !== "") checkHeaders(request);
  return text;
}

/** Whether a request has a body, according to its headers. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Requires the JSON content type, which pages of other sites cannot send without a preflight. */
function checkHeaders({ headers }: IncomingMessage) {
  const type = headers["content-type"] ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new HostError(
      "REQUEST_INVALID",
      `Unsupported Content-Type ${type || "(none)"}: the body must be application/json.`,
    );
  }
  checkEncoding(headers);
}

/** Throws REQUEST_INVALID for a body with a content encoding, such as compression. */
export function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new HostError(
      "REQUEST_INVALID",
      `Unsupported Content-Encoding ${encoding}: send the body without encoding.`,
    );
}
