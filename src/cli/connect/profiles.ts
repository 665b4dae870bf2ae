import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { HostError } from "../../errors.js";
import { homeDirectory } from "./home.js";

/** One host of the profiles file. Paths are absolute. */
export interface Profile {
  address?: string;
  token?: string;
  tokenFile?: string;
  tls?: boolean;
  caFile?: string;
  clientCert?: string;
  clientKey?: string;
}

export interface Profiles {
  path: string;
  default?: string;
  profiles: Map<string, Profile>;
  warnings: string[];
}

const texts = {
  address: "address",
  token: "token",
  "token-file": "tokenFile",
  "ca-file": "caFile",
  "client-cert": "clientCert",
  "client-key": "clientKey",
} as const;
const paths: ReadonlySet<string> = new Set(["token-file", "ca-file", "client-cert", "client-key"]);

const invalid = (problem: string, cause?: unknown) =>
  new HostError("CONFIGURATION_INVALID", problem, { cause });

/** Where profiles are kept unless an option or HOLDFAST_PROFILES says otherwise. */
export function defaultProfilesPath(environment: NodeJS.ProcessEnv): string {
  return join(
    environment["XDG_CONFIG_HOME"] || join(homeDirectory(), ".config"),
    "holdfast",
    "profiles.yaml",
  );
}

/** Reads a profiles file; undefined where there is none and it was not asked for by name. CONFIGURATION_INVALID for what cannot be used. */
export async function readProfiles(path: string, asked: boolean): Promise<Profiles | undefined> {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, "utf8");
    mode = statSync(path).mode;
  } catch (cause) {
    if (!asked && (cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw invalid(`The profiles file ${path} cannot be read.`, cause);
  }
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    // Not the parser's text, which quotes the line: it may hold a token.
    throw invalid(`The profiles file ${path} is no YAML.`, cause);
  }
  const profiles = parseProfiles(path, value ?? {});
  const holdsToken = [...profiles.profiles.values()].some(({ token }) => token !== undefined);
  if (holdsToken && (mode & 0o044) !== 0)
    profiles.warnings.push(
      `The profiles file ${path} holds a token and others may read it: chmod 600 ${path}`,
    );
  return profiles;
}

function parseProfiles(path: string, value: unknown): Profiles {
  const file = mapping(value, `The profiles file ${path}`);
  refuseUnknown(file, ["default", "profiles"], `The profiles file ${path}`);
  const profiles = new Map<string, Profile>();
  for (const [name, given] of Object.entries(
    mapping(file["profiles"] ?? {}, `The key profiles in ${path}`),
  ))
    profiles.set(name, parseProfile(path, name, given));
  const chosen = file["default"];
  if (chosen !== undefined && (typeof chosen !== "string" || !profiles.has(chosen)))
    throw invalid(
      `The default of ${path} names no profile that is there (${[...profiles.keys()].join(", ") || "there are none"}).`,
    );
  return { path, profiles, warnings: [], ...(chosen !== undefined && { default: chosen }) };
}

function parseProfile(path: string, name: string, given: unknown): Profile {
  const what = `The profile ${name} in ${path}`;
  const fields = mapping(given, what);
  refuseUnknown(fields, [...Object.keys(texts), "tls"], what);
  const profile: Profile = {};
  for (const [key, member] of Object.entries(texts)) {
    const value = fields[key];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "") throw invalid(`${what}: ${key} must be a text.`);
    profile[member] = paths.has(key) ? resolve(dirname(resolve(path)), value) : value;
  }
  const { tls } = fields;
  if (tls !== undefined && typeof tls !== "boolean")
    throw invalid(`${what}: tls must be true or false.`);
  if (profile.token !== undefined && profile.tokenFile !== undefined)
    throw invalid(`${what} has both token and token-file: keep one.`);
  return { ...profile, ...(tls !== undefined && { tls }) };
}

function mapping(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(`${what} must hold keys and values.`);
  return value as Record<string, unknown>;
}

function refuseUnknown(given: Record<string, unknown>, known: string[], what: string): void {
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0)
    throw invalid(
      `${what} has keys that are none: ${unknown.join(", ")}. The keys are ${known.join(", ")}.`,
    );
}
