import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Action, DocumentWrite } from "./document.js";
import { applyMerge } from "./merge.js";

/** The latest version of a document, as a write finds it. */
export interface CurrentVersion {
  version: number;
  action: string;
  kind: string;
  expires: number;
  body: string;
}

/** The next version of a document, without its update time. */
export interface NextVersion {
  link: string;
  version: number;
  action: Action;
  kind: string;
  owner: string;
  expires: number;
  body: string;
  /** Change of the number of documents that are not deleted: 1, 0 or -1. */
  documents: number;
}

/** Whether the next version is made of the body of the current one. */
export const needsBody = ({ action }: Pick<DocumentWrite, "action">) =>
  action === "PATCH" || action === "DELETE";

/**
 * Returns the version that a write creates. Undefined: a DELETE of a deleted document, which changes nothing.
 * `verify` is called before the body of the current version is used: a damaged one would get a valid checksum.
 * Throws DOCUMENT_EXISTS, DOCUMENT_MARKED_DELETED, DOCUMENT_NOT_FOUND, DOCUMENT_DELETED, VERSION_MISMATCH,
 * BODY_TOO_LARGE.
 */
export function applyWrite<Current extends CurrentVersion>(
  write: DocumentWrite,
  current: Current | undefined,
  verify: (current: Current) => void,
): NextVersion | undefined {
  if (write.action === "DELETE" && current?.action === "DELETE") return undefined;
  const refused = refusal(write, current);
  if (refused) throw refused;
  const deleting = write.action === "DELETE";
  const kept = current && needsBody(write) ? current : undefined;
  let body = write.body;
  if (kept) {
    verify(kept);
    body = deleting ? kept.body : applyMerge(write.mergeRule, kept.body, write.body);
  }
  if (body.length > limits.documentBytes / 3 && Buffer.byteLength(body) > limits.documentBytes)
    throw new HostError(
      "BODY_TOO_LARGE",
      `${write.link} would grow beyond ${limits.documentBytes} bytes. Nothing was changed.`,
    );
  return {
    link: write.link,
    version: current ? current.version + 1 : 0,
    action: write.action,
    kind: kept ? kept.kind : write.kind,
    owner: write.owner,
    expires: deleting ? 0 : (write.expirationTimeMicros ?? kept?.expires ?? 0),
    body,
    documents: (!current || current.action === "DELETE" ? 1 : 0) - (deleting ? 1 : 0),
  };
}

/** Returns why a write may not be applied to the current version; undefined if it may. */
function refusal(write: DocumentWrite, current: CurrentVersion | undefined): HostError | undefined {
  const deleted = current?.action === "DELETE";
  if (
    write.expectedVersion !== undefined &&
    current &&
    !deleted &&
    current.version !== write.expectedVersion
  ) {
    return new HostError(
      "VERSION_MISMATCH",
      `${write.link} is at version ${current.version}, not at the expected version ${write.expectedVersion}. Read it again.`,
      { metadata: { link: write.link, version: String(current.version) } },
    );
  }
  const details = { metadata: { link: write.link } };
  const document = `Document ${write.link}`;
  if (write.action === "POST") {
    if (current && !deleted)
      return new HostError("DOCUMENT_EXISTS", `${document} already exists`, details);
    if (deleted && !write.revive)
      return new HostError("DOCUMENT_MARKED_DELETED", `${document} is marked deleted`, details);
    return undefined;
  }
  if (!current) return new HostError("DOCUMENT_NOT_FOUND", `${document} not found`, details);
  if (deleted) return new HostError("DOCUMENT_DELETED", `${document} not found: deleted`, details);
  return undefined;
}
