import { createHash, timingSafeEqual } from "node:crypto";
import { HostError } from "../errors.js";
import { roles, type Role } from "./roles.js";

/** Properties of a known token, without the token itself. */
export interface KnownToken {
  /** Position among the tokens of the file, starting at 1. */
  number: number;
  /** Name for logs: the name in the file, or its number. */
  name: string;
  roles: ReadonlySet<Role>;
  /** Indexes the token is limited to. Default: all. */
  indexes?: ReadonlySet<string> | undefined;

  expired: boolean;
}

/** The tokens of a host. Only their digests are kept. */
export interface TokenTable {
  /**
   * Finds a token; undefined if it is unknown. Runs in constant time for tokens of the same length.
   */
  find(token: string): KnownToken | undefined;
  /** Whether any token is limited to certain indexes. */
  limitsIndexes(): boolean;
}

/** A token table that can be replaced at run time, effective from the next request. */
export interface TokenStore extends TokenTable {
  /** Returns all indexes that tokens are limited to. */
  indexes(): string[];
  /**
   * Replaces the tokens with those in the text of a token file. Throws CONFIGURATION_INVALID and
   * keeps the old tokens if it is invalid.
   */
  replace(text: string): void;
}

interface Entry {
  digest: Buffer;
  name: string;
  roles: ReadonlySet<Role>;
  expiresMs: number;
  indexes?: ReadonlySet<string> | undefined;
}

/** Creates a store from the text of a token file. Throws CONFIGURATION_INVALID. */
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
 * Parses a token file: one token per line, as `<token or its sha256 in hex> role[,role] [name=NAME]
 * [expires=TIME] [index=LINK]`, with TIME in RFC 3339. index may be repeated; # starts a comment.
 * Throws CONFIGURATION_INVALID with the line number, but never the token.
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
    if (entries.some((entry) => entry.digest.equals(digest))) throw problem("duplicate token");
    const granted = names.split(",").map((name) => {
      const role = roles.find((one) => one === name);
      if (role === undefined)
        throw problem(`unknown role ${JSON.stringify(name)}; the roles are ${roles.join(", ")}`);
      return role;
    });
    const own = settingsOf(settings, problem);
    if (own.name !== undefined && entries.some(({ name }) => name === own.name))
      throw problem(`duplicate name ${own.name}`);
    const wide = granted.find((role) => hostWideRoles.has(role));
    if (own.indexes !== undefined && wide !== undefined)
      throw problem(
        `index= cannot be combined with the role ${wide}, which applies to the whole host`,
      );
    entries.push({
      digest,
      roles: new Set(granted),
      name: `token ${entries.length + 1}`,
      expiresMs: Infinity,
      ...own,
    });
  }
  if (entries.length === 0)
    throw new HostError("CONFIGURATION_INVALID", "The token file contains no tokens.");
  return entries;
}

/** Roles that are not limited to indexes. */
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
        `invalid setting; expected name=NAME (letters, digits, . _ @ -), expires=TIME, for example expires=2027-01-31T00:00:00Z, or index=LINK, for example index=/core/document-index`,
      );
  }
  return read;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
