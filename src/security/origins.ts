import { HostError } from "../errors.js";

/**
 * Throws CONFIGURATION_INVALID for invalid origins. `*` requires tokens, which foreign pages do not
 * know; without tokens, any page opened on this machine could read and restore.
 */
export function checkOrigins(origins: readonly string[], hasTokens: boolean): void {
  for (const origin of origins) {
    if (origin === "*") {
      if (!hasTokens)
        throw invalid(
          "--cors-origin * without tokens would allow any web page to access this host. Add --token-file, or list the origins.",
        );
    } else if (!isOrigin(origin)) {
      throw invalid(
        `Invalid origin ${JSON.stringify(origin)}: must have the form sent by browsers, for example https://console.example or http://localhost:3000.`,
      );
    }
  }
}

function isOrigin(text: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(text) &&
    URL.canParse(text) &&
    (new URL(text).origin === text || new URL(text).origin === "null")
  );
}

function invalid(problem: string): HostError {
  return new HostError("CONFIGURATION_INVALID", problem);
}
