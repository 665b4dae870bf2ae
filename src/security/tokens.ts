import { createHash, timingSafeEqual } from "node:crypto";
import { HostError } from "../errors.js";
import { roles, type Role } from "./roles.js";

/** A token as the host knows it: never the token itself. */
export interface KnownToken {
  /** Its place among the tokens of the file, from 1. */
  number: number;
  /** What logs call it: as the file names it, else by its place. */
  name: string;
  roles: ReadonlySet<Role>;
  /** The indexes that it is for; absent: all. */
  indexes?: ReadonlySet<string> | undefined;
  /** Whether its time is over. */
  expired: boolean;
}

/** The tokens a host knows; it keeps their digests alone. */
export interface TokenTable {
  /** Undefined for a token that is not known. Takes as long for any token of the same length. */
  find(token: string): KnownToken | undefined;
  /** Whether any of them is for some indexes alone. */
  limitsIndexes(): boolean;
}

/** A table that can be replaced while the host serves: the next request goes by the new one. */
export interface TokenStore extends TokenTable {
  /** The indexes that any of them names. */
  indexes(): string[];
  /** Takes the text of a token file. CONFIGURATION_INVALID, and then the tokens stay what they were. */
  replace(text: string): void;
}

interface Entry {
  digest: Buffer;
  name: string;
  roles: ReadonlySet<Role>;
  expiresMs: number;
  indexes?: ReadonlySet<string> | undefined;
}

export function openTokens(text: string, nowMs: () => number = Date.now): TokenStore {
  let entries = parseTokens(text);
  return {
    find(token) {
      const digest = digestOf(token);
      let found: KnownToken | undefined;
      for (const [index, entry] of entries.entries()) {
        if (timingSafeEqual(entry.digest, digest))
          found = {
            number: index + 1,
            name: entry.name,
            roles: entry.roles,
            indexes: entry.indexes,
            expired: entry.expiresMs <= nowMs(),
          };
      }
      return found;
    },
    limitsIndexes: () => entries.some(({ indexes }) => indexes !== undefined),
    indexes: () => [...new Set(entries.flatMap(({ indexes }) => [...(indexes ?? [])]))],
    replace(next) {
      entries = parseTokens(next);
    },
  };
}

/**
 * Reads a token file: one token a line, `<token or its sha256 in hex> role[,role] [name=NAME] [expires=TIME] [index=LINK]`, TIME in RFC 3339; index may
 * be there several times; # begins a comment. Throws CONFIGURATION_INVALID naming the line, never the token.
 */
export function parseTokens(text: string): Entry[] {
  const entries: Entry[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/(^|\s)#.*$/, "").trim();
    if (content === "") continue;
    const [token = "", names = "", ...settings] = content.split(/\s+/);
    const problem = (what: string) =>
      new HostError("CONFIGURATION_INVALID", `Line ${index + 1} of the token file: ${what}.`);
    if (names === "")
      throw problem("expected a token and its roles, for example: <token> read,backup");
    const digest = /^[0-9a-fA-F]{64}$/.test(token) ? Buffer.from(token, "hex") : digestOf(token);
    if (entries.some((entry) => entry.digest.equals(digest)))
      throw problem("this token is there already");
    const granted = names.split(",").map((name) => {
      const role = roles.find((one) => one === name);
      if (role === undefined)
        throw problem(`unknown role ${JSON.stringify(name)}; the roles are ${roles.join(", ")}`);
      return role;
    });
    const own = settingsOf(settings, problem);
    if (own.name !== undefined && entries.some(({ name }) => name === own.name))
      throw problem(`the name ${own.name} is another token's already`);
    const wide = granted.find((role) => hostWideRoles.has(role));
    if (own.indexes !== undefined && wide !== undefined)
      throw problem(`index= does not go with the role ${wide}, which is for the whole host`);
    entries.push({
      digest,
      roles: new Set(granted),
      name: `token ${entries.length + 1}`,
      expiresMs: Infinity,
      ...own,
    });
  }
  if (entries.length === 0)
    throw new HostError("CONFIGURATION_INVALID", "The token file holds no token.");
  return entries;
}

/** They reach beyond any index. */
const hostWideRoles: ReadonlySet<Role> = new Set(["files", "admin"]);

function settingsOf(
  settings: readonly string[],
  problem: (what: string) => HostError,
): Partial<Pick<Entry, "name" | "expiresMs" | "indexes">> {
  const read: Partial<Pick<Entry, "name" | "expiresMs" | "indexes">> = {};
  for (const setting of settings) {
    const [, name = "", value = ""] = /^([a-z]+)=(.+)$/.exec(setting) ?? [];
    if (name === "name" && /^[\w.@-]{1,64}$/.test(value)) read.name = value;
    else if (
      name === "expires" &&
      /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value) &&
      Number.isFinite(Date.parse(value))
    )
      read.expiresMs = Date.parse(value);
    else if (name === "index" && /^\/[!-~]{1,1000}$/.test(value))
      read.indexes = new Set([...(read.indexes ?? []), value]);
    else
      throw problem(
        `a setting is not understood; behind the roles may stand name=NAME (letters, digits, . _ @ -), expires=TIME, for example expires=2027-01-31T00:00:00Z, and index=LINK, for example index=/core/document-index`,
      );
  }
  return read;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
