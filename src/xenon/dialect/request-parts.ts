import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/** A request target taken apart; the path is decoded once and not normalised: a link is found under its own text. */
export interface Target {
  path: string;
  /** Without the question mark; empty when there is none. */
  query: string;
}

export function targetOf(url: string): Target {
  const mark = url.indexOf("?");
  const raw = mark < 0 ? url : url.slice(0, mark);
  return {
    path: raw.includes("%") ? decode(raw, "path") : raw,
    query: mark < 0 ? "" : url.slice(mark + 1),
  };
}

/** The parameters of a query; of a name that comes twice the last one. A plus sign stays what it is. */
export function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const sign = pair.indexOf("=");
    const name = decode(sign < 0 ? pair : pair.slice(0, sign), "query");
    const raw = sign < 0 ? "" : pair.slice(sign + 1);
    // OData text cannot do without spaces: where there is none but a plus sign, that was a form's way to write one.
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
      `The ${where} of the request holds a broken percent escape.`,
      { cause },
    );
  }
}

/**
 * Throws REQUEST_INVALID unless the body is JSON by its content type or has none. What a browser sends across sites
 * without asking first is a form or has no type, so with an Origin a type must be there.
 */
export function requireJsonBody(request: IncomingMessage): void {
  const type = request.headers["content-type"];
  if (
    request.headers["content-encoding"] !== undefined &&
    request.headers["content-encoding"] !== "identity"
  ) {
    throw new HostError(
      "REQUEST_INVALID",
      "A body with a content encoding is not taken; send it plain.",
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

/** Throws METHOD_NOT_ALLOWED, as Xenon words it. */
export function refuseMethod(request: IncomingMessage, allow: string): never {
  throw new HostError("METHOD_NOT_ALLOWED", `Action not supported: ${request.method}`, {
    metadata: { allow },
  });
}
