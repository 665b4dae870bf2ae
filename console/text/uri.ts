/** The URI of a destination that a person typed as a path of the host or as a URI. */
export function toUri(given: string): string {
  const text = given.trim();
  return text.startsWith("/")
    ? `file://${text.split("/").map(encodeURIComponent).join("/")}`
    : text;
}
