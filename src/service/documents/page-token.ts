import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";
import { decodeToken, encodeToken } from "../../io/opaque-token.js";

/** The part of a request that must not change between the pages of a listing. */
export interface PagedRequest {
  factoryPath: string;
  filter?: string | undefined;
  orderBy?: string | undefined;
  /** Whether the time belongs to it. */
  isAtFixed?: boolean | undefined;
  atMicros?: number | undefined;
}

/** Creates an opaque page token from an engine cursor and the listing that it belongs to. */
export function encodePageToken(cursor: string, lineage: string, request: PagedRequest): string {
  return encodeToken([digestOf(request), lineage, cursor]);
}

/**
 * Returns the cursor of a token. Throws PAGE_TOKEN_INVALID for a malformed token or one of another
 * listing, and INDEX_SWITCHED if a restore has switched the index since.
 */
export function decodePageToken(token: string, lineage: string, request: PagedRequest): string {
  const invalid = (problem: string) =>
    new HostError(
      "PAGE_TOKEN_INVALID",
      `Invalid page token: it ${problem}. Restart the listing without a page token.`,
    );
  const [digest, tokenLineage, cursor, ...rest] = decodeToken(token) ?? [];
  if (typeof cursor !== "string" || rest.length > 0) throw invalid("was not created by this host");
  if (digest !== digestOf(request))
    throw invalid("belongs to a request with another factory, filter, order or time");
  if (tokenLineage !== lineage) {
    throw new HostError(
      "INDEX_SWITCHED",
      "The index was restored since the listing started. Restart the listing without a page token.",
    );
  }
  return cursor;
}

function digestOf(request: PagedRequest): string {
  const { factoryPath, filter = null, orderBy = null, isAtFixed, atMicros } = request;
  const time = isAtFixed && atMicros !== undefined ? [atMicros] : [];
  const parts = [factoryPath, filter, orderBy, ...time];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);
}
