import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/** The ETag of a version of a document. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/**
 * The version that If-Match asks for; undefined when any will do. Of several the current one is taken, so that the
 * write still fails when it is no longer current. Throws VERSION_MISMATCH and REQUEST_INVALID.
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
    // A weak tag, or one that we never give out, matches nothing: that is no error but a failed precondition.
    if (match[1] === undefined && /^(0|[1-9]\d{0,14})$/.test(match[2] ?? ""))
      versions.push(Number(match[2]));
  }
  if (versions.length === 1 && tags.length === 1) return versions[0];
  const current = await currentVersion();
  if (versions.includes(current)) return current;
  throw new HostError(
    "VERSION_MISMATCH",
    `The document is at version ${current}, which If-Match does not name.`,
  );
}

/** Whether If-None-Match says that the client has this version already. */
export function isUnchanged(request: IncomingMessage, version: number): boolean {
  const header = request.headers["if-none-match"];
  if (header === undefined) return false;
  return (
    header.trim() === "*" ||
    header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etagOf(version))
  );
}
