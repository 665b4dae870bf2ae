import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";

/** What must be the same in every request of one listing. */
export interface PagedRequest {
  factoryPath: string;
  filter?: string | undefined;
  orderBy?: string | undefined;
}

/** A cursor of the engine together with what it may be used for, opaque to clients. */
export function encodePageToken(cursor: string, lineage: string, request: PagedRequest): string {
  return Buffer.from(JSON.stringify([digestOf(request), lineage, cursor])).toString("base64url");
}

/**
 * The cursor in a token. Throws PAGE_TOKEN_INVALID for text that is no token or one of another request, and
 * INDEX_SWITCHED when a restore has put another history under the listing since.
 */
export function decodePageToken(token: string, lineage: string, request: PagedRequest): string {
  const invalid = (why: string) =>
    new HostError(
      "PAGE_TOKEN_INVALID",
      `The page token ${why}; start the listing again without it.`,
    );
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch (cause) {
    throw new HostError("PAGE_TOKEN_INVALID", invalid("was not made by this host").message, {
      cause,
    });
  }
  if (
    !Array.isArray(parts) ||
    parts.length !== 3 ||
    !parts.every((part) => typeof part === "string")
  ) {
    throw invalid("was not made by this host");
  }
  const [digest, madeUnder, cursor] = parts as [string, string, string];
  if (digest !== digestOf(request))
    throw invalid("belongs to a request with another factory, filter or order");
  if (madeUnder !== lineage) {
    throw new HostError(
      "INDEX_SWITCHED",
      "The index was restored since this listing began; start it again without a page token.",
    );
  }
  return cursor;
}

function digestOf(request: PagedRequest): string {
  const parts = [request.factoryPath, request.filter ?? null, request.orderBy ?? null];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);
}
