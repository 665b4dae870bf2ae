import type { DocumentVersion } from "./document.js";

/**
 * A version as JSON text with its system fields behind its own. The body is spliced in as it is kept: to parse and
 * write it anew would cost time and round numbers.
 */
export function renderDocument(document: DocumentVersion): string {
  const own = document.body.length > 2 ? `${document.body.slice(0, -1)},` : "{";
  return (
    `${own}"documentVersion":${document.version},"documentEpoch":0,"documentKind":${JSON.stringify(document.kind)}` +
    `,"documentSelfLink":${JSON.stringify(document.link)},"documentUpdateTimeMicros":${document.updateTimeMicros}` +
    `,"documentUpdateAction":"${document.action}","documentExpirationTimeMicros":${document.expirationTimeMicros}` +
    `,"documentOwner":${JSON.stringify(document.owner)}}`
  );
}
