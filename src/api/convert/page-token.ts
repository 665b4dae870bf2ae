import { HostError } from "../../errors.js";

/** A page token of a listing whose items have a name or number to go on after; opaque to clients. */
export function writePageToken(listing: string, after: string): string {
  return Buffer.from(`${listing}:${after}`).toString("base64url");
}

/** What to go on after; undefined for the first page. Throws PAGE_TOKEN_INVALID for a token of another listing. */
export function readPageToken(listing: string, token: string): string | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(`${listing}:`)) throw badPageToken();
  return text.slice(listing.length + 1);
}

export function badPageToken(): HostError {
  return new HostError(
    "PAGE_TOKEN_INVALID",
    "The page token is none of this listing, or what it stands for is gone; begin at the first page.",
  );
}
