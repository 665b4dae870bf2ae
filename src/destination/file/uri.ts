import { resolve } from "node:path";
import { HostError } from "../../errors.js";

const invalid = (uri: string, problem: string) =>
  new HostError(
    "DESTINATION_INVALID",
    `The destination ${JSON.stringify(shown(uri))} ${problem}.`,
    { metadata: { field: "destination" } },
  );

/** What was mistyped may be an address with a password or a signature in it. */
const shown = (uri: string) =>
  /^\s*(file:|\/(?!\/))/i.test(uri)
    ? uri
    : uri.replace(/(?<=[?#]).*$/s, "...").replace(/^.*@/s, "...@");

/** The scheme of a destination, in lower case; DESTINATION_INVALID where it has none. */
export function schemeOf(uri: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined)
    throw invalid(uri, "is no URI: Missing scheme (write file:/absolute/path)");
  return scheme.toLowerCase();
}

/**
 * The absolute path of file:/p, file:///p, file://localhost/p and file://p. Percent-escapes are decoded; a query or
 * fragment is refused, since a path could only hold them by mistake.
 */
export function filePathOf(uri: string): string {
  if (schemeOf(uri) !== "file")
    throw invalid(
      uri,
      `has the scheme ${schemeOf(uri)}:, which is not served; write file:/absolute/path`,
    );
  const rest = uri.slice("file:".length).replace(/^\/\/localhost(?=\/|$)/i, "");
  // Two slashes begin an authority, which a file has none of: what follows is taken for the path.
  const path = rest.startsWith("///")
    ? rest.slice(2)
    : rest.startsWith("//")
      ? rest.slice(1)
      : rest;
  if (!path.startsWith("/")) throw invalid(uri, "is not absolute; write file:/absolute/path");
  if (/[?#]/.test(path)) throw invalid(uri, "has a query or fragment; write ? as %3F and # as %23");
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw invalid(uri, "has a percent sign that is no escape; write it as %25");
  }
  if (/[\u0000-\u001f]/.test(decoded)) throw invalid(uri, "has a control character in its path");
  return resolve(decoded);
}
