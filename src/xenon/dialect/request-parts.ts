import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/**
 * A parsed request target. The path is decoded once and not normalised, so that links are matched
 * exactly.
 */
export interface Target {
  path: string;
  /** Query without the question mark, "" if absent. */
  query: string;
}

/** Parses a request target. Throws REQUEST_INVALID for invalid percent-encoding. */
export function targetOf(url: string): Target {
  const mark = url.indexOf("?");
  const raw = mark < 0 ? url : url.slice(0, mark);
  return {
    path: raw.includes("%") ? decode(raw, "path") : raw,
    query: mark < 0 ? "" : url.slice(mark + 1),
  };
}

/**
 * Parses a query. The last occurrence of a repeated name wins. Plus signs are kept, except in OData
 * parameters without spaces.
 */
export function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const sign = pair.indexOf("=");
    const name = decode(sign < 0 ? pair : pair.slice(0, sign), "query");
    const raw = sign < 0 ? "" : pair.slice(sign + 1);
    // OData expressions need spaces, so plus signs in a value without %20 are form-encoded spaces.
    const spaced = name.startsWith("$") && !raw.includes("%20") ? raw.replaceAll("+", "%20") : raw;
    parameters.set(name, decode(spaced, "query"));
  }
  return parameters;
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new HostError(
      "REQUEST_INVALID",
      `Invalid percent-encoding in the ${where} of the request.`,
      { cause },
    );
  }
}

/**
 * Throws REQUEST_INVALID unless the body is JSON according to its content type, or has no content
 * type. Browsers send forms and untyped bodies across sites without a preflight, so requests with
 * an Origin require the type.
 */
export function requireJsonBody(request: IncomingMessage): void {
  const type = request.headers["content-type"];
  if (
    request.headers["content-encoding"] !== undefined &&
    request.headers["content-encoding"] !== "identity"
  ) {
    throw new HostError(
      "REQUEST_INVALID",
      "Content-Encoding is not supported; send the body without encoding.",
    );
  }
  if (type === "application/json") return;
  const hasBody =
    request.headers["transfer-encoding"] !== undefined ||
    Number(request.headers["content-length"] ?? 0) > 0;
  if (type === undefined || type === "") {
    if (!hasBody || request.headers.origin === undefined) return;
  } else {
    const match = /^application\/(?:[\w.+-]+\+)?json\s*(?:;(.*))?$/i.exec(type);
    const charset = /charset\s*=\s*"?([\w-]+)/i.exec(match?.[1] ?? "")?.[1]?.toLowerCase();
    if (
      match !== null &&
      (charset === undefined || charset === "utf-8" || charset === "utf8" || charset === "us-ascii")
    )
      return;
  }
  throw new HostError(
    "REQUEST_INVALID",
    `The body must be application/json in UTF-8, not ${JSON.stringify((type ?? "").slice(0, 100))}.`,
  );
}

/** Throws METHOD_NOT_ALLOWED with Xenon's message. */
export function refuseMethod(request: IncomingMessage, allow: string): never {
  throw new HostError("METHOD_NOT_ALLOWED", `Action not supported: ${request.method}`, {
    metadata: { allow },
  });
}
