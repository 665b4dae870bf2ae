import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import { HostError } from "./errors.js";
import type { HostOptions } from "./host-options.js";
import type { TlsIdentity } from "./security/tls.js";
import type { FactoryDescription } from "./service/document-service.js";
import { durableIndexLink } from "./service/factories.js";

/** One setting of `holdfast serve`: a flag, an environment variable and a key of the YAML file. */
interface Setting {
  /** Without dashes; HOLDFAST_ and upper case give the variable, as it stands the YAML key. */
  name: string;
  placeholder: string;
  help: string;
  many?: boolean;
}

export const settings: readonly Setting[] = [
  { name: "data-dir", placeholder: "DIR", help: "where the indexes are kept (default ./data)" },
  { name: "http-host", placeholder: "H", help: "address of the HTTP port (default 127.0.0.1)" },
  { name: "http-port", placeholder: "N", help: "HTTP port; 0 takes a free one (default 8000)" },
  { name: "grpc-host", placeholder: "H", help: "address of the gRPC port (default 127.0.0.1)" },
  { name: "grpc-port", placeholder: "N", help: "gRPC port; 0 takes a free one (default 8001)" },
  { name: "id", placeholder: "ID", help: "id of this host, the owner of what it writes (default: a random one, kept)" },
  { name: "factory", placeholder: "PATH=KIND[@INDEX]", help: "a factory to serve beside /core/examples; repeatable", many: true },
  { name: "memory-index", placeholder: "PATH", help: "a further in-memory index; repeatable", many: true },
  { name: "backup-root", placeholder: "DIR", help: "a directory that backups may lie in; repeatable (default: anywhere)", many: true },
  { name: "auto-backup-directory", placeholder: "DIR", help: "where automatic backups go (default auto-backup in the data directory)" },
  { name: "backup-max-age", placeholder: "DURATION", help: "how old the newest good backup may be before health says so (default: as old as it likes)" },
  { name: "file-root", placeholder: "DIR", help: "a directory that files of /local-files may lie in; repeatable (default: the backup roots)", many: true },
  { name: "history", placeholder: "DURATION", help: "how long versions beyond the retained count stay (default 24h)" },
  { name: "retain-versions", placeholder: "N", help: "versions of a document that stay whatever their age (default 10000)" },
  { name: "token-file", placeholder: "FILE", help: "tokens and their roles, one a line; without it anybody may do anything" },
  { name: "host-name", placeholder: "NAME", help: "a further name that clients may ask for this host by; repeatable", many: true },
  { name: "allow-destination", placeholder: "HOST[:PORT]", help: "a private address that http(s) backups may use though others reach this host; repeatable", many: true },
  { name: "ca-file", placeholder: "FILE", help: "authorities to trust on outgoing https beside the usual ones, in PEM" },
  { name: "client-cert", placeholder: "FILE", help: "certificate of this host for outgoing https, in PEM; needs --client-key" },
  { name: "client-key", placeholder: "FILE", help: "its private key, in PEM" },
  { name: "transfer-space", placeholder: "SIZE", help: "what streamed archives may take in the data directory together (default 64GiB)" },
  { name: "transfer-count", placeholder: "N", help: "how many streamed archives are kept at a time (default 32)" },
  { name: "transfer-lease", placeholder: "DURATION", help: "how long a streamed archive stays that nobody touches (default 1h)" },
  { name: "cors-origin", placeholder: "ORIGIN", help: "whose pages may ask this host from a browser, or * with tokens; repeatable (default: nobody's)", many: true },
  { name: "tls-cert", placeholder: "FILE", help: "certificate in PEM, with those between it and a root: TLS on both ports" },
  { name: "tls-key", placeholder: "FILE", help: "the certificate's private key in PEM, not encrypted" },
  { name: "tls-client-ca", placeholder: "FILE", help: "clients must show a certificate that one of these signed" },
  { name: "log-format", placeholder: "FORMAT", help: "json, pretty, or auto: pretty on a terminal (default auto)" },
  { name: "log-level", placeholder: "LEVEL", help: "trace, debug, info, warn, error, fatal or silent (default info)" },
];

type Values = Partial<Record<string, string | string[]>>;

const invalid = (problem: string, cause?: unknown) => new HostError("CONFIGURATION_INVALID", problem, { cause });

/** A duration as text, for example 24h, 90m, 30s, 7d or 500ms, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim());
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const unit = units[match?.[2] ?? ""];
  if (!match || unit === undefined) throw invalid(`${JSON.stringify(text)} is no duration; write for example 24h, 90m or 7d.`);
  return Number(match[1]) * unit;
}

/** A size as text, for example 64GiB, 500MiB or 1000000 (bytes), in bytes. */
export function parseSize(text: string): number {
  const match = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(text.trim());
  const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const bytes = Number(match?.[1]) * (units[match?.[2] ?? ""] ?? 1);
  if (!match || !Number.isSafeInteger(bytes)) throw invalid(`${JSON.stringify(text)} is no size; write for example 64GiB or 500MiB.`);
  return bytes;
}

function readConfigFile(path: string): Values {
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw invalid(`The configuration file ${path} cannot be read as YAML${cause instanceof Error ? `: ${cause.message}` : ""}.`, cause);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw invalid(`The configuration file ${path} must hold keys and values, for example: http-port: 8000`);
  const values: Values = {};
  for (const [name, given] of Object.entries(value)) {
    const setting = settings.find((one) => one.name === name);
    if (!setting) throw invalid(`The configuration file ${path} has the unknown key ${name}; the keys are ${settings.map((one) => one.name).join(", ")}.`);
    const list: unknown[] = Array.isArray(given) ? given : [given];
    if (!list.every((one) => typeof one === "string" || typeof one === "number")) throw invalid(`The key ${name} in ${path} must be a text, a number or a list of them.`);
    if (!setting.many && list.length !== 1) throw invalid(`The key ${name} in ${path} takes one value.`);
    values[name] = setting.many ? list.map(String) : String(list[0]);
  }
  return values;
}

function readEnvironment(environment: NodeJS.ProcessEnv): Values {
  const values: Values = {};
  for (const { name, many } of settings) {
    const value = environment[`HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`];
    if (value !== undefined && value !== "") values[name] = many ? value.split(",").map((one) => one.trim()) : value;
  }
  return values;
}

function parseFactory(text: string): FactoryDescription {
  const match = /^(\/[^=]+)=([^@]+)(?:@(\/.+))?$/.exec(text);
  if (!match?.[1] || !match[2]) throw invalid(`${JSON.stringify(text)} is no factory; write /path=kind, for example /core/books=com:example:Book`);
  return { path: match[1], kind: match[2], indexLink: match[3] ?? durableIndexLink };
}

function parseInteger(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid(`${name} must be a whole number, not ${JSON.stringify(text)}.`);
  return Number(text);
}

/** Flags before environment before file. The file comes from --config or HOLDFAST_CONFIG. */
function readValues(flags: Values, environment: NodeJS.ProcessEnv): Values {
  const configFile = flags["config"] ?? (environment["HOLDFAST_CONFIG"] || undefined);
  return {
    ...(typeof configFile === "string" ? readConfigFile(configFile) : {}),
    ...readEnvironment(environment),
    ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
  };
}

/** How the command writes its log. */
export interface LogConfig {
  format: (typeof logFormats)[number];
  level: (typeof logLevels)[number];
}

const logFormats = ["auto", "json", "pretty"] as const;
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export function readLogConfig(flags: Values, environment: NodeJS.ProcessEnv): LogConfig {
  const values = readValues(flags, environment);
  const choice = <Choice extends string>(name: string, choices: readonly Choice[], standard: Choice): Choice => {
    const given = values[name] ?? standard;
    const chosen = choices.find((one) => one === given);
    if (chosen === undefined) throw invalid(`${name} must be one of ${choices.join(", ")}, not ${JSON.stringify(given)}.`);
    return chosen;
  };
  return { format: choice("log-format", logFormats, "auto"), level: choice("log-level", logLevels, "info") };
}

/** Flags before environment before file, as options of a host. */
export function readConfig(flags: Values, environment: NodeJS.ProcessEnv): HostOptions {
  const values = readValues(flags, environment);
  const text = (name: string) => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  const list = (name: string) => {
    const value = values[name];
    return Array.isArray(value) ? value : undefined;
  };
  const number = (name: string) => {
    const value = text(name);
    return value === undefined ? undefined : parseInteger(name, value);
  };
  const file = (name: string, what: string) => {
    const path = text(name);
    return path === undefined ? undefined : readText(what, path);
  };
  const ca = file("ca-file", "file of authorities");
  const certificate = file("client-cert", "client certificate");
  const key = file("client-key", "key of the client certificate");
  const hasTls = ca !== undefined || certificate !== undefined || key !== undefined;
  const history = text("history");
  const backupMaxAge = text("backup-max-age");
  const autoBackupDirectory = text("auto-backup-directory");
  const options: { [K in keyof HostOptions]: HostOptions[K] | undefined } = {
    dataDirectory: resolve(text("data-dir") ?? "data"),
    httpHost: text("http-host"),
    httpPort: number("http-port"),
    grpcHost: text("grpc-host"),
    grpcPort: number("grpc-port"),
    id: text("id"),
    factories: list("factory")?.map(parseFactory),
    memoryIndexes: list("memory-index"),
    backupRoots: list("backup-root")?.map((path) => resolve(path)),
    autoBackupDirectory: autoBackupDirectory === undefined ? undefined : resolve(autoBackupDirectory),
    backupMaxAgeMs: backupMaxAge === undefined ? undefined : parseDuration(backupMaxAge),
    fileRoots: list("file-root")?.map((path) => resolve(path)),
    historyMs: history === undefined ? undefined : parseDuration(history),
    retainedVersions: number("retain-versions"),
    tokens: file("token-file", "token file"),
    hostNames: list("host-name"),
    allowDestinations: list("allow-destination"),
    clientTls: hasTls ? { ...(ca !== undefined && { ca }), ...(certificate !== undefined && { certificate }), ...(key !== undefined && { key }) } : undefined,
    transfers: readTransfers(text("transfer-space"), number("transfer-count"), text("transfer-lease")),
    corsOrigins: list("cors-origin"),
    tls: readTls(text("tls-cert"), text("tls-key"), text("tls-client-ca")),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as HostOptions;
}

function readTransfers(space: string | undefined, maxCount: number | undefined, lease: string | undefined): HostOptions["transfers"] | undefined {
  if (space === undefined && maxCount === undefined && lease === undefined) return undefined;
  return { ...(space !== undefined && { maxBytes: parseSize(space) }), ...(maxCount !== undefined && { maxCount }), ...(lease !== undefined && { leaseMs: parseDuration(lease) }) };
}

function readTls(certificate: string | undefined, key: string | undefined, clientCa: string | undefined): TlsIdentity | undefined {
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined;
  if (certificate === undefined || key === undefined) throw invalid("TLS takes both a certificate and its key: --tls-cert FILE --tls-key FILE.");
  return {
    certificate: readText("TLS certificate", certificate),
    key: readText("TLS key", key),
    ...(clientCa !== undefined && { clientCa: readText("client CA", clientCa) }),
  };
}

function readText(what: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(`The ${what} ${path} cannot be read.`, cause);
  }
}
