import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import { readS3Options } from "../destination/s3/options.js";
import { HostError } from "../errors.js";
import type { HostOptions, PostgresOptions } from "./options.js";
import { limits } from "../limits.js";
import type { TlsIdentity } from "../security/tls.js";
import type { FactoryDescription } from "../service/documents/document-service.js";
import { durableIndexLink } from "../service/documents/factories.js";
import { isUri } from "./destination-option.js";
import { parseDatabaseUrl } from "../engine/postgres/url.js";
import { withoutSecrets } from "../security/secrets.js";
import { settings, type Setting } from "./settings.js";

type Values = Partial<Record<string, string | string[]>>;

const invalid = (problem: string, cause?: unknown) =>
  new HostError("CONFIGURATION_INVALID", problem, { cause });

/**
 * Parses a duration such as 24h, 90m, 30s, 7d or 500ms to milliseconds. Throws
 * CONFIGURATION_INVALID.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim());
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const unit = units[match?.[2] ?? ""];
  if (!match || unit === undefined)
    throw invalid(
      `Invalid duration ${JSON.stringify(text)}: must be a number with a unit such as 24h, 90m or 7d.`,
    );
  return Number(match[1]) * unit;
}

/**
 * Parses a size such as 64GiB, 500MiB or 1000000 (bytes) to bytes. Throws CONFIGURATION_INVALID.
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(text.trim());
  const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const bytes = Number(match?.[1]) * (units[match?.[2] ?? ""] ?? 1);
  if (!match || !Number.isSafeInteger(bytes))
    throw invalid(
      `Invalid size ${JSON.stringify(text)}: must be a number of bytes or have a unit such as 64GiB or 500MiB.`,
    );
  return bytes;
}

function readConfigFile(path: string): Values {
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw invalid(
      `Cannot read the configuration file ${path} as YAML${cause instanceof Error ? `: ${cause.message}` : ""}.`,
      cause,
    );
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw invalid(
      `The configuration file ${path} must be a mapping of keys to values, for example: http-port: 8000`,
    );
  const values: Values = {};
  for (const [name, given] of Object.entries(value)) {
    const setting = settings.find((one) => one.name === name);
    if (!setting)
      throw invalid(
        `Unknown key ${name} in the configuration file ${path}. Valid keys: ${settings.map((one) => one.name).join(", ")}.`,
      );
    const list: unknown[] = Array.isArray(given) ? given : [given];
    if (!list.every((one) => typeof one === "string" || typeof one === "number"))
      throw invalid(`The key ${name} in ${path} must be a string, a number or a list of them.`);
    if (!setting.many && list.length !== 1)
      throw invalid(`The key ${name} in ${path} accepts only one value.`);
    values[name] = setting.many ? list.map(String) : String(list[0]);
  }
  return values;
}

function readEnvironment(environment: NodeJS.ProcessEnv): Values {
  const values: Values = {};
  for (const { name, many } of settings) {
    const value = environment[variableOf(name)];
    if (value !== undefined && value !== "")
      values[name] = many ? value.split(",").map((one) => one.trim()) : value;
  }
  return values;
}

function parseFactory(text: string): FactoryDescription {
  const match = /^(\/[^=]+)=([^@]+)(?:@(\/.+))?$/.exec(text);
  if (!match?.[1] || !match[2])
    throw invalid(
      `Invalid factory ${JSON.stringify(text)}: must have the form /path=kind, for example /core/books=com:example:Book`,
    );
  return { path: match[1], kind: match[2], indexLink: match[3] ?? durableIndexLink };
}

function parseInteger(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw invalid(`${name} must be a whole number, not ${JSON.stringify(text)}.`);
  return Number(text);
}

/** A setting with an explicit value. */
export interface GivenSetting {
  value: string | string[];
  /** Source of the value: the flag, the variable or the path of the file. */
  from: string;
}

/** Returns the environment variable of a setting, for example HOLDFAST_HTTP_PORT for http-port. */
export const variableOf = (name: string): string =>
  `HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`;

/**
 * Returns the settings with explicit values by name. Flags take precedence over the environment,
 * which takes precedence over the file of --config or HOLDFAST_CONFIG. Throws CONFIGURATION_INVALID
 * if the file is unusable.
 */
export function givenSettings(
  flags: Values,
  environment: NodeJS.ProcessEnv,
): Map<string, GivenSetting> {
  const configFile = flags["config"] ?? (environment["HOLDFAST_CONFIG"] || undefined);
  const given = new Map<string, GivenSetting>();
  const take = (values: Values, from: (name: string) => string) => {
    for (const [name, value] of Object.entries(values))
      if (value !== undefined) given.set(name, { value, from: from(name) });
  };
  if (typeof configFile === "string") take(readConfigFile(configFile), () => configFile);
  take(readEnvironment(environment), variableOf);
  take(flags, (name) => `--${name}`);
  return given;
}

function readValues(flags: Values, environment: NodeJS.ProcessEnv): Values {
  return Object.fromEntries(
    [...givenSettings(flags, environment)].map(([name, { value }]) => [name, value]),
  );
}

/** Format and level of the log. */
export interface LogConfig {
  format: (typeof logFormats)[number];
  level: (typeof logLevels)[number];
}

const logFormats = ["auto", "json", "pretty"] as const;
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Reads the configuration of the log. Throws CONFIGURATION_INVALID. */
export function readLogConfig(flags: Values, environment: NodeJS.ProcessEnv): LogConfig {
  const values = readValues(flags, environment);
  const choice = <Choice extends string>(
    name: string,
    choices: readonly Choice[],
    fallback: Choice,
  ): Choice => {
    const given = values[name] ?? fallback;
    const chosen = choices.find((one) => one === given);
    if (chosen === undefined)
      throw invalid(`${name} must be one of ${choices.join(", ")}, not ${JSON.stringify(given)}.`);
    return chosen;
  };
  return {
    format: choice("log-format", logFormats, "auto"),
    level: choice("log-level", logLevels, "info"),
  };
}

/**
 * Reads the options of a host, including the files that settings name. Flags take precedence over
 * the environment, which takes precedence over the file. Unset options are omitted. Throws
 * CONFIGURATION_INVALID.
 */
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
  const ca = file("ca-file", "CA file");
  const certificate = file("client-cert", "client certificate");
  const key = file("client-key", "client key");
  const hasTls = ca !== undefined || certificate !== undefined || key !== undefined;
  const history = text("history");
  const backupMaxAge = text("backup-max-age");
  const openedSpace = text("opened-space");
  const autoBackupDestination = text("auto-backup-destination");
  const options: { [K in keyof HostOptions]: HostOptions[K] | undefined } = {
    dataDirectory: resolve(text("data-dir") ?? "data"),
    console: readConsole(text("console")),
    postgres: readPostgres(text("engine"), {
      url: text("postgres-url"),
      schema: text("postgres-schema"),
      ca: file("postgres-ca-file", "CA file of the database"),
      certificate: file("postgres-cert-file", "client certificate for the database"),
      key: file("postgres-key-file", "key of the client certificate for the database"),
    }),
    advertisedHost: text("advertise-host"),
    httpHost: text("http-host"),
    httpPort: number("http-port"),
    grpcHost: text("grpc-host"),
    grpcPort: number("grpc-port"),
    id: text("id"),
    factories: list("factory")?.map(parseFactory),
    memoryIndexes: list("memory-index"),
    backupRoots: list("backup-root")?.map((root) => (isUri(root) ? root : resolve(root))),
    autoBackupDestination:
      autoBackupDestination === undefined || isUri(autoBackupDestination)
        ? autoBackupDestination
        : resolve(autoBackupDestination),
    backupMaxAgeMs: backupMaxAge === undefined ? undefined : parseDuration(backupMaxAge),
    fileRoots: list("file-root")?.map((path) => resolve(path)),
    certificateFiles: ["tls-cert", "tls-client-ca"]
      .flatMap((name) => text(name) ?? [])
      .map((path) => resolve(path)),
    secretFiles: [
      "token-file",
      "identity-file",
      "policy-file",
      "tls-cert",
      "tls-key",
      "tls-client-ca",
      "client-key",
      "postgres-key-file",
    ]
      .flatMap((name) => text(name) ?? [])
      .map((path) => resolve(path)),
    historyMs: history === undefined ? undefined : parseDuration(history),
    retainedVersions: number("retain-versions"),
    tokens: file("token-file", "token file"),
    recipients: file("recipients-file", "recipients file"),
    identities: file("identity-file", "identity file"),
    policies: file("policy-file", "policy file"),
    trustedSigners: file("trusted-signers", "file of trusted signers"),
    hostNames: list("host-name"),
    allowDestinations: list("allow-destination"),
    s3: readS3Options({
      endpoint: text("s3-endpoint"),
      region: text("s3-region"),
      addressing: text("s3-addressing"),
    }),
    clientTls: hasTls
      ? {
          ...(ca !== undefined && { ca }),
          ...(certificate !== undefined && { certificate }),
          ...(key !== undefined && { key }),
        }
      : undefined,
    transfers: readTransfers(
      text("transfer-space"),
      number("transfer-count"),
      text("transfer-lease"),
    ),
    openedBytes: openedSpace === undefined ? undefined : parseSize(openedSpace),
    corsOrigins: list("cors-origin"),
    tls: readTls(text("tls-cert"), text("tls-key"), text("tls-client-ca")),
  };
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as HostOptions;
}

function readConsole(given: string | undefined): boolean | undefined {
  if (given === undefined) return undefined;
  if (given !== "on" && given !== "off")
    throw invalid(`console must be on or off, not ${JSON.stringify(given)}.`);
  return given === "on";
}

function readPostgres(
  engine = "sqlite",
  { url, ...others }: Partial<Record<keyof PostgresOptions, string | undefined>>,
): PostgresOptions | undefined {
  if (engine !== "sqlite" && engine !== "postgres")
    throw invalid(`engine must be sqlite or postgres, not ${JSON.stringify(engine)}.`);
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  if (engine === "sqlite") {
    if (url !== undefined || given.length > 0)
      throw invalid("--postgres-... settings have no effect without --engine postgres.");
    return undefined;
  }
  if (url === undefined)
    throw invalid("--engine postgres requires --postgres-url, or HOLDFAST_POSTGRES_URL.");
  parseDatabaseUrl(url);
  return { url, ...Object.fromEntries(given) };
}

function readTransfers(
  space: string | undefined,
  maxCount: number | undefined,
  lease: string | undefined,
): HostOptions["transfers"] | undefined {
  if (space === undefined && maxCount === undefined && lease === undefined) return undefined;
  return {
    ...(space !== undefined && { maxBytes: parseSize(space) }),
    ...(maxCount !== undefined && { maxCount }),
    ...(lease !== undefined && { leaseMs: parseDuration(lease) }),
  };
}

function readTls(
  certificate: string | undefined,
  key: string | undefined,
  clientCa: string | undefined,
): TlsIdentity | undefined {
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw invalid(
      "TLS requires a certificate and its key: set both --tls-cert FILE and --tls-key FILE.",
    );
  return {
    certificate: readText("TLS certificate", certificate),
    key: readText("TLS key", key),
    ...(clientCa !== undefined && { clientCa: readText("client CA", clientCa) }),
  };
}

function readText(what: string, path: string): string {
  let file: number | undefined;
  try {
    // The file is also read while the host is serving: a pipe, a device or a large file must not
    // block it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(file);
    if (!status.isFile()) throw invalid(`The ${what} ${path} is not a regular file.`);
    if (status.size > limits.secretFileBytes)
      throw invalid(
        `The ${what} ${path} has ${status.size} bytes; the limit is ${limits.secretFileBytes} bytes.`,
      );
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw cause instanceof HostError
      ? cause
      : invalid(`Cannot read the ${what} ${path}. Check the path and its permissions.`, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Returns the value of a setting without secrets. */
export const shownValue = ({ isSecretUrl = false }: Setting, value: string | string[]): string =>
  [value]
    .flat()
    .map((one) => (isSecretUrl ? withoutSecrets(one) : one))
    .join(", ");
