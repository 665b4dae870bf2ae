import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { HostError } from "../../errors.js";
import { homeDirectory } from "./home.js";

/** A host with its connection settings, as configured in the profiles file. Paths are absolute. */
export interface Profile {
  address?: string;
  token?: string;
  tokenFile?: string;
  tls?: boolean;
  caFile?: string;
  clientCert?: string;
  clientKey?: string;
}

/** The content of a profiles file. */
export interface Profiles {
  path: string;
  /** Name of the default profile. */
  default?: string;
  profiles: Map<string, Profile>;
  /** Messages for the user, for example about file permissions. */
  warnings: string[];
}

const stringKeys = {
  address: "address",
  token: "token",
  "token-file": "tokenFile",
  "ca-file": "caFile",
  "client-cert": "clientCert",
  "client-key": "clientKey",
} as const;
const pathKeys: ReadonlySet<string> = new Set([
  "token-file",
  "ca-file",
  "client-cert",
  "client-key",
]);

const invalid = (problem: string, cause?: unknown) =>
  new HostError("CONFIGURATION_INVALID", problem, { cause });

/** Returns the path of the profiles file if neither --profiles nor HOLDFAST_PROFILES is set. */
export function defaultProfilesPath(environment: NodeJS.ProcessEnv): string {
  return join(
    environment["XDG_CONFIG_HOME"] || join(homeDirectory(), ".config"),
    "holdfast",
    "profiles.yaml",
  );
}

/**
 * Reads a profiles file. Returns undefined if it does not exist and is not `required`. Throws
 * CONFIGURATION_INVALID if it cannot be read or is invalid; messages never include a token.
 */
export async function readProfiles(path: string, required: boolean): Promise<Profiles | undefined> {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, "utf8");
    mode = statSync(path).mode;
  } catch (cause) {
    if (!required && (cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw invalid(
      `Cannot read the profiles file ${path}. Check the path and its permissions.`,
      cause,
    );
  }
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    // The parser's message is omitted because it quotes the line, which may contain a token.
    throw invalid(`The profiles file ${path} is not valid YAML.`, cause);
  }
  const profiles = parseProfiles(path, value ?? {});
  const hasToken = [...profiles.profiles.values()].some(({ token }) => token !== undefined);
  if (hasToken && (mode & 0o044) !== 0)
    profiles.warnings.push(
      `The profiles file ${path} contains a token and is readable by other users. Run: chmod 600 ${path}`,
    );
  return profiles;
}

function parseProfiles(path: string, value: unknown): Profiles {
  const file = mapping(value, `The profiles file ${path}`);
  rejectUnknownKeys(file, ["default", "profiles"], `The profiles file ${path}`);
  const profiles = new Map<string, Profile>();
  for (const [name, given] of Object.entries(
    mapping(file["profiles"] ?? {}, `The key profiles in ${path}`),
  ))
    profiles.set(name, parseProfile(path, name, given));
  const defaultName = file["default"];
  if (defaultName !== undefined && (typeof defaultName !== "string" || !profiles.has(defaultName)))
    throw invalid(
      `The default profile in ${path} is not defined. Defined profiles: ${[...profiles.keys()].join(", ") || "none"}.`,
    );
  return {
    path,
    profiles,
    warnings: [],
    ...(defaultName !== undefined && { default: defaultName }),
  };
}

function parseProfile(path: string, name: string, given: unknown): Profile {
  const what = `The profile ${name} in ${path}`;
  const fields = mapping(given, what);
  rejectUnknownKeys(fields, [...Object.keys(stringKeys), "tls"], what);
  const profile: Profile = {};
  for (const [key, member] of Object.entries(stringKeys)) {
    const value = fields[key];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "")
      throw invalid(`${what}: ${key} must be a non-empty string.`);
    profile[member] = pathKeys.has(key) ? resolve(dirname(resolve(path)), value) : value;
  }
  const { tls } = fields;
  if (tls !== undefined && typeof tls !== "boolean")
    throw invalid(`${what}: tls must be true or false.`);
  if (profile.token !== undefined && profile.tokenFile !== undefined)
    throw invalid(`${what} has both token and token-file; remove one.`);
  return { ...profile, ...(tls !== undefined && { tls }) };
}

function mapping(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(`${what} must be a mapping of keys to values.`);
  return value as Record<string, unknown>;
}

function rejectUnknownKeys(given: Record<string, unknown>, known: string[], what: string): void {
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0)
    throw invalid(
      `${what} has unknown keys: ${unknown.join(", ")}. Valid keys: ${known.join(", ")}.`,
    );
}
