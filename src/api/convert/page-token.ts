import { HostError } from "../../errors.js";

/** Creates an opaque page token for the page after the given item of a listing. */
export function writePageToken(listing: string, after: string): string {
  return Buffer.from(`${listing}:${after}`).toString("base64url");
}

/**
 * Returns the item that precedes the page, or undefined for the first page. Throws
 * PAGE_TOKEN_INVALID for a token of another listing.
 */
export function readPageToken(listing: string, token: string): string | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(`${listing}:`)) throw badPageToken();
  return text.slice(listing.length + 1);
}

/** Returns a PAGE_TOKEN_INVALID error. */
export function badPageToken(): HostError {
  return new HostError(
    "PAGE_TOKEN_INVALID",
    "Invalid page token: it belongs to another listing or has expired. Start with the first page.",
  );
}
