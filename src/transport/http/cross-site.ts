import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { mayBeAskedByPages } from "./cors.js";

/** Throws for a request that a page of another site made a browser send, and for one whose sender cannot be told from such a page. */
export type CrossSiteCheck = (request: IncomingMessage) => void;

/** Content types that a browser sends across sites without a preflight (Fetch standard, CORS-safelisted). */
const simpleType =
  /^\s*(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(?:;|$)/i;

/**
 * Refuses requests of foreign pages with CROSS_SITE_REFUSED: those with an Origin that is neither this host's own nor one of
 * `corsOrigins`, and those that the browser itself calls cross-site. A POST must carry what forces a preflight, a content
 * type other than a form's or a custom header, else REQUEST_INVALID: the other methods that change something force one by themselves.
 * OPTIONS changes nothing and is left to CORS.
 */
export function createCrossSiteCheck(corsOrigins: readonly string[]): CrossSiteCheck {
  const any = corsOrigins.includes("*");
  const known = new Set(corsOrigins);
  return (request) => {
    const { headers, method } = request;
    if (method === "OPTIONS") return;
    const { origin } = headers;
    const site = headers["sec-fetch-site"];
    const invited =
      origin !== undefined && (any || known.has(origin)) && mayBeAskedByPages(request.url ?? "");
    if (
      !invited &&
      (isForeign(origin, headers.host) ||
        (site !== undefined && site !== "same-origin" && site !== "none"))
    ) {
      const from = origin === undefined ? "another site" : JSON.stringify(origin.slice(0, 200));
      throw new HostError(
        "CROSS_SITE_REFUSED",
        `Pages of ${from} may not send requests to this host. To allow an origin for /v1 and Connect, start the host with --cors-origin.`,
      );
    }
    if (method === "POST" && !forcesPreflight(request)) {
      throw new HostError(
        "REQUEST_INVALID",
        "A POST needs the header Content-Type: application/json, also without a body, or X-Requested-With: without one, any web page could make a browser send it.",
        {
          metadata: { field: "content-type" },
        },
      );
    }
  };
}

/** Browsers also send the Origin of the host's own pages; behind a proxy that ends TLS its scheme is another one. */
function isForeign(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

function forcesPreflight({ headers }: IncomingMessage): boolean {
  const type = headers["content-type"];
  if (type !== undefined && type.trim() !== "" && !simpleType.test(type)) return true;
  return headers.authorization !== undefined || headers["x-requested-with"] !== undefined;
}
