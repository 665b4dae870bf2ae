import { createHash, timingSafeEqual } from "node:crypto";
import { HostError } from "../errors.js";
import { roles, type Role } from "./roles.js";

/** The tokens a host knows; it keeps their digests alone. */
export interface TokenTable {
  /** The roles of a token, or undefined for one that is not known. Takes as long for any token of the same length. */
  rolesOf(token: string): ReadonlySet<Role> | undefined;
  /** The same, and which token of the file it is, counted from 1. */
  find(token: string): { number: number; roles: ReadonlySet<Role> } | undefined;
}

/**
 * Reads a token file: one token a line, `<token or its sha256 in hex> role[,role]`; # begins a comment. Throws
 * CONFIGURATION_INVALID naming the line, never the token.
 */
export function loadTokens(text: string): TokenTable {
  const entries: { digest: Buffer; roles: ReadonlySet<Role> }[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/(^|\s)#.*$/, "").trim();
    if (content === "") continue;
    const [token = "", names = "", ...rest] = content.split(/\s+/);
    const problem = (what: string) => new HostError("CONFIGURATION_INVALID", `Line ${index + 1} of the token file: ${what}.`);
    if (names === "" || rest.length > 0) throw problem("expected a token and its roles, for example: <token> read,backup");
    const digest = /^[0-9a-fA-F]{64}$/.test(token) ? Buffer.from(token, "hex") : digestOf(token);
    if (entries.some((entry) => entry.digest.equals(digest))) throw problem("this token is there already");
    const granted = names.split(",").map((name) => {
      const role = roles.find((one) => one === name);
      if (role === undefined) throw problem(`unknown role ${JSON.stringify(name)}; the roles are ${roles.join(", ")}`);
      return role;
    });
    entries.push({ digest, roles: new Set(granted) });
  }
  if (entries.length === 0) throw new HostError("CONFIGURATION_INVALID", "The token file holds no token.");
  function find(token: string): { number: number; roles: ReadonlySet<Role> } | undefined {
    const digest = digestOf(token);
    let found: { number: number; roles: ReadonlySet<Role> } | undefined;
    for (const [index, entry] of entries.entries()) if (timingSafeEqual(entry.digest, digest)) found = { number: index + 1, roles: entry.roles };
    return found;
  }
  return { find, rolesOf: (token) => find(token)?.roles };
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
