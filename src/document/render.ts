import type { DocumentVersion } from "./document.js";
import { compactJson, isMultiline } from "./members.js";

/** Texts of versions that a cache keeps, whose reads ask for the same text again. */
const texts = new WeakMap<DocumentVersion, string>();

/** Lets the next rendering of a version be kept for as long as the version is. */
export function keepText(document: DocumentVersion): void {
  if (!texts.has(document)) texts.set(document, "");
}

/**
 * Renders a version as JSON text with its own fields followed by system fields. The stored body is
 * inserted unchanged: parsing and formatting it would take time and round numbers.
 */
export function renderDocument(document: DocumentVersion): string {
  const kept = texts.get(document);
  if (kept === undefined) return textOf(document);
  if (kept !== "") return kept;
  const text = textOf(document);
  texts.set(document, text);
  return text;
}

function textOf(document: DocumentVersion): string {
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
