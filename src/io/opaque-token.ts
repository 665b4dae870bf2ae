/** Encodes values as an opaque text for URLs, for example a position in a listing. */
export function encodeToken(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/**
 * Returns the values of a token; undefined for any other text. Their types are those that the
 * sender chose.
 */
export function decodeToken(token: string): unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}
