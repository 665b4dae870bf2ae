import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { allowsCors } from "./cors.js";

/**
 * Throws for a request sent by a page of another site, and for one that cannot be distinguished
 * from it.
 */
export type CrossSiteCheck = (request: IncomingMessage) => void;

/**
 * Content types that a browser sends across sites without a preflight (Fetch standard,
 * CORS-safelisted).
 */
const simpleType =
  /^\s*(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(?:;|$)/i;

/**
 * Rejects cross-site requests with CROSS_SITE_REFUSED: those whose Origin is neither this host's
 * own nor in `corsOrigins`, and those that the browser marks as cross-site. A POST must have a
 * content type other than a form's, or a custom header, both of which force a preflight; otherwise
 * it is rejected with REQUEST_INVALID. Other methods with side effects always need a preflight.
 * OPTIONS is left to CORS.
 */
export function createCrossSiteCheck(corsOrigins: readonly string[]): CrossSiteCheck {
  const any = corsOrigins.includes("*");
  const known = new Set(corsOrigins);
  return (request) => {
    const { headers, method } = request;
    if (method === "OPTIONS") return;
    const { origin } = headers;
    const site = headers["sec-fetch-site"];
    const allowed =
      origin !== undefined && (any || known.has(origin)) && allowsCors(request.url ?? "");
    if (
      !allowed &&
      (isForeign(origin, headers.host) ||
        (site !== undefined && site !== "same-origin" && site !== "none"))
    ) {
      const from = origin === undefined ? "another site" : JSON.stringify(origin.slice(0, 200));
      throw new HostError(
        "CROSS_SITE_REFUSED",
        `Cross-site request from ${from} rejected. To allow an origin for /v1 and Connect, start the host with --cors-origin.`,
      );
    }
    if (method === "POST" && !forcesPreflight(request)) {
      throw new HostError(
        "REQUEST_INVALID",
        "A POST requires the header Content-Type: application/json, even without a body, or X-Requested-With. Otherwise any web page could make a browser send it.",
        {
          metadata: { field: "content-type" },
        },
      );
    }
  };
}

/**
 * Whether an Origin is not the host's own. Ignores the scheme, which differs behind a proxy that
 * terminates TLS.
 */
function isForeign(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

function forcesPreflight({ headers }: IncomingMessage): boolean {
  const type = headers["content-type"];
  if (type !== undefined && type.trim() !== "" && !simpleType.test(type)) return true;
  return headers.authorization !== undefined || headers["x-requested-with"] !== undefined;
}
