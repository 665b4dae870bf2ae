import type { DocumentVersion } from "./document.js";
import { compactJson, isMultiline } from "./members.js";

/**
 * A version as JSON text with its system fields behind its own. The body is spliced in as it is kept: to parse and
 * write it anew would cost time and round numbers.
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

/** The body on one line. Earlier releases kept line breaks between the tokens of a nested value. */
export function bodyLine({ body }: DocumentVersion): string {
  return isMultiline(body) ? compactJson(body) : body;
}
