import { HostError } from "../errors.js";

/**
 * Throws CONFIGURATION_INVALID for what a browser would never send as Origin. `*` is for hosts with tokens: the pages
 * of anybody may then ask, but know no token. Without tokens a page opened on this machine could read and restore.
 */
export function checkOrigins(origins: readonly string[], hasTokens: boolean): void {
  for (const origin of origins) {
    if (origin === "*") {
      if (!hasTokens)
        throw invalid(
          "--cors-origin * lets any page that a browser here opens ask this host, which wants no token: add --token-file, or name the origins.",
        );
    } else if (!isOrigin(origin)) {
      throw invalid(
        `${JSON.stringify(origin)} is no origin: write it as browsers do, for example https://console.example or http://localhost:3000.`,
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
