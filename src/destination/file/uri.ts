import { resolve } from "node:path";
import { HostError } from "../../errors.js";

const invalid = (uri: string, problem: string) =>
  new HostError(
    "DESTINATION_INVALID",
    `Invalid destination ${JSON.stringify(redacted(uri))}: ${problem}.`,
    { metadata: { field: "destination" } },
  );

/** Removes a password or signature, which a mistyped URI may contain. */
const redacted = (uri: string) =>
  /^\s*(file:|\/(?!\/))/i.test(uri)
    ? uri
    : uri.replace(/(?<=[?#]).*$/s, "...").replace(/^.*@/s, "...@");

/** Returns the scheme of a URI in lower case. Throws DESTINATION_INVALID if it is missing. */
export function schemeOf(uri: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined) throw invalid(uri, "Missing scheme (use file:/absolute/path)");
  return scheme.toLowerCase();
}

/**
 * Returns the absolute path of file:/p, file:///p, file://localhost/p or file://p, with percent-escapes
 * decoded. Throws DESTINATION_INVALID for another URI, and for a query or fragment, which can only be
 * a mistake.
 */
export function filePathOf(uri: string): string {
  if (schemeOf(uri) !== "file")
    throw invalid(uri, `unsupported scheme ${schemeOf(uri)}: (use file:/absolute/path)`);
  const rest = uri.slice("file:".length).replace(/^\/\/localhost(?=\/|$)/i, "");
  // A file has no authority, so the text after two slashes is part of the path.
  const path = rest.startsWith("///")
    ? rest.slice(2)
    : rest.startsWith("//")
      ? rest.slice(1)
      : rest;
  if (!path.startsWith("/"))
    throw invalid(uri, "the path is not absolute (use file:/absolute/path)");
  if (/[?#]/.test(path))
    throw invalid(uri, "it has a query or fragment (escape ? as %3F and # as %23)");
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw invalid(uri, "it has an invalid percent-escape (escape % as %25)");
  }
  if (/[\u0000-\u001f]/.test(decoded)) throw invalid(uri, "the path contains a control character");
  return resolve(decoded);
}
