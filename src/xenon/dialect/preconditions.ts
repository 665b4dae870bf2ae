import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/** Returns the ETag of a document version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/**
 * Returns the version that If-Match requires, or undefined if any version matches. If it lists
 * several, returns the current one if included, so that the write fails if the document changes
 * meanwhile. Throws VERSION_MISMATCH and REQUEST_INVALID.
 */
export async function expectedVersion(
  request: IncomingMessage,
  currentVersion: () => Promise<number>,
): Promise<number | undefined> {
  const header = request.headers["if-match"];
  if (header === undefined || header.trim() === "*") return undefined;
  const tags = header.split(",").map((tag) => tag.trim());
  const versions: number[] = [];
  for (const tag of tags) {
    const match = /^(W\/)?"([^"]*)"$/.exec(tag);
    if (match === null)
      throw new HostError(
        "REQUEST_INVALID",
        `If-Match must be * or an ETag like "3", not ${JSON.stringify(header.slice(0, 100))}.`,
      );
    // Weak and unknown ETags match nothing: the precondition fails, but the request is valid.
    if (match[1] === undefined && /^(0|[1-9]\d{0,14})$/.test(match[2] ?? ""))
      versions.push(Number(match[2]));
  }
  if (versions.length === 1 && tags.length === 1) return versions[0];
  const current = await currentVersion();
  if (versions.includes(current)) return current;
  throw new HostError(
    "VERSION_MISMATCH",
    `The current version ${current} does not match If-Match.`,
  );
}

/** Whether If-None-Match contains the version, so that the client already has it. */
export function isUnchanged(request: IncomingMessage, version: number): boolean {
  const header = request.headers["if-none-match"];
  if (header === undefined) return false;
  return (
    header.trim() === "*" ||
    header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etagOf(version))
  );
}
