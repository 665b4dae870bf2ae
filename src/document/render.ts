import type { DocumentVersion } from "./document.js";
import { compactJson, isMultiline } from "./members.js";

/**
 * Renders a version as JSON text with its own fields followed by system fields. The stored body is
 * inserted unchanged: parsing and formatting it would take time and round numbers.
 */
export function renderDocument(document: DocumentVersion): string {
  const body = bodyLine(document);
  const own = body.length > 2 ? `${body.slice(0, -1)},` : "{";
  return (
    `${own}"documentVersion":${document.version},"documentEpoch":0,"documentKind":${JSON.stringify(document.kind)}` +
    `,"documentSelfLink":${JSON.stringify(document.link)},"documentUpdateTimeMicros":${document.updateTimeMicros}` +
    `,"documentUpdateAction":"${document.action}","documentExpirationTimeMicros":${document.expirationTimeMicros}` +
    `,"documentOwner":${JSON.stringify(document.owner)}}`
  );
}

/**
 * Returns the body on one line. Earlier releases stored line breaks between tokens of nested
 * values.
 */
export function bodyLine({ body }: DocumentVersion): string {
  return isMultiline(body) ? compactJson(body) : body;
}
