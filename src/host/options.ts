import { hostname } from "node:os";
import type { DestinationScheme } from "../destination/registry.js";
import { HostError } from "../errors.js";
import { systemPlatform, type Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { checkOrigins } from "../security/origins.js";
import { checkTls, type TlsIdentity } from "../security/tls.js";
import type { FactoryDescription } from "../service/documents/document-service.js";
import type { S3Options } from "../destination/s3/options.js";
import type { TransferLimits } from "../destination/transfer/transfer.js";
import {
  defaultFactories,
  durableIndexLink,
  inMemoryIndexLink,
  openedIndexPath,
} from "../service/documents/factories.js";

/** A PostgreSQL database. */
export interface PostgresOptions {
  /** postgres://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]...]/DATABASE; the hosts are tried until one is a primary. Secret. */
  url: string;
  /** PostgreSQL schema of the tables. Default: holdfast. */
  schema?: string;
  /** PEM of the CA of the server, which requires TLS. Default: TLS with the CAs of Node if the URL has sslmode=require. */
  ca?: string;
  /** PEM of a client certificate; requires `key`. Default: none. */
  certificate?: string;
  /** PEM of its private key. Secret. */
  key?: string;
}

/** Options of a host. All except `dataDirectory` have a default. */
export interface HostOptions {
  /**
   * Directory of the indexes, used by one host at a time. Created if missing; its parent must
   * exist.
   */
  dataDirectory: string;
  /**
   * documentOwner of documents that this host writes. Default: a random ID, stored in the data
   * directory.
   */
  id?: string;
  /**
   * PostgreSQL database in which the durable index is kept, which several hosts may share. Default: none, it is kept
   * in the data directory.
   */
  postgres?: PostgresOptions;
  /**
   * Name or address by which the hosts that share the database reach this one. Default: the listen address, or the name
   * of the machine if that is a wildcard.
   */
  advertisedHost?: string;
  /**
   * Listen address for HTTP. An address other than loopback requires tokens and a backup root.
   * Default: 127.0.0.1.
   */
  httpHost?: string;
  /** HTTP port; 0 selects a free one. Default: 8000. */
  httpPort?: number;
  /** Listen address for gRPC, with the same requirements. Default: 127.0.0.1. */
  grpcHost?: string;
  /** gRPC port; 0 selects a free one. Default: 8001. */
  grpcPort?: number;
  /** Factories in addition to /core/examples and /core/in-memory-examples. Default: none. */
  factories?: FactoryDescription[];
  /** Links of additional in-memory indexes. Default: none. */
  memoryIndexes?: string[];
  /**
   * Directories and s3: URIs that backups are restricted to. Default: no restriction, which requires a
   * loopback address.
   */
  backupRoots?: string[];
  /**
   * Destination of automatic backups: a directory, or a URI whose scheme takes backups of type DIRECTORY. A
   * directory is created if missing; its parent must exist. Default: auto-backup in the data directory.
   */
  autoBackupDestination?: string;
  /**
   * Directories whose files /local-files serves. Default: the backup roots; none with tokens or a
   * client CA, so that /local-files serves no files.
   */
  fileRoots?: string[];
  /**
   * Files with secrets of this host, such as the token file, which /local-files never serves.
   * Default: none.
   */
  secretFiles?: string[];
  /** The files among `secretFiles` that are certificates and therefore public. Default: none. */
  certificateFiles?: string[];
  /** How long versions beyond `retainedVersions` are kept, in milliseconds. Default: 24 h. */
  historyMs?: number;
  /** Number of versions of each document that are kept regardless of age. Default: 10,000. */
  retainedVersions?: number;
  /**
   * Content of a token file: one token with its roles per line. Default: none, authentication is
   * disabled.
   */
  tokens?: string;
  /**
   * TLS on both ports; with a client CA, clients must present a certificate that it signed.
   * Default: plaintext.
   */
  tls?: TlsIdentity;
  /**
   * Origins allowed to call this host from a browser, or "*" for all, which requires tokens.
   * Default: none.
   */
  corsOrigins?: string[];
  /** Whether the web console is served at /console/. Default: true. */
  console?: boolean;
  /** Names that clients may use for this host, in addition to its addresses. Default: none. */
  hostNames?: string[];
  /** Maximum number, total size and idle time of streamed archives. Default: see limits.ts. */
  transfers?: Partial<TransferLimits>;
  /** Maximum total size of opened backups, in bytes. Default: 64 GiB. */
  openedBytes?: number;
  /** Idle time after which a stream is aborted, in milliseconds. Default: 2 min. */
  streamIdleMs?: number;
  /**
   * Recipients of age (age1...), one per line, to which backups are encrypted unless a request states
   * otherwise. Default: none, backups are not encrypted.
   */
  recipients?: string;
  /**
   * Content of an identity file of age, with which the host verifies and restores on trial the encrypted
   * backups of its policies. It is used for nothing else. Default: none.
   */
  identities?: string;
  /**
   * Content of a policy file: a YAML list of backup policies with the fields of BackupPolicy, which cannot
   * be changed at run time. Default: none.
   */
  policies?: string;
  /**
   * Content of an allowed_signers file of OpenSSH. Backups whose manifests none of them has signed are
   * neither restored nor continued. Default: none, signatures are not required.
   */
  trustedSigners?: string;
  /**
   * Private addresses, as HOST or HOST:PORT, that http(s) backups may use although this host is
   * reachable by others. Default: none.
   */
  allowDestinations?: string[];
  /**
   * Additional destinations by the scheme of their URIs, in lower case, for example
   * `{ memory: scheme }`. Default: none; file, http, https, s3 and transfer are always there.
   */
  destinations?: Readonly<Record<string, DestinationScheme>>;
  /**
   * Endpoint, region and addressing of s3: destinations. Default: those of the environment and the
   * profile.
   */
  s3?: S3Options;
  /**
   * PEM for outgoing https: CA certificates trusted in addition to those of Node, and a client
   * certificate with its key. Default: none.
   */
  clientTls?: { ca?: string; certificate?: string; key?: string };
  /**
   * Age of the newest successful backup of the durable index above which backups are unhealthy, in
   * milliseconds. Default: no limit.
   */
  backupMaxAgeMs?: number;
  /** Receives log messages. Default: discards them. */
  logger?: HostLogger;
  /** Clock, randomness and file system; replaced by tests. Default: those of the system. */
  platform?: Platform;
}

/** The methods of a pino logger that the host uses. */
export interface HostLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const silent: HostLogger = { info() {}, warn() {}, error() {} };

/** Options with all defaults applied. */
export type ResolvedOptions = Required<
  Omit<
    HostOptions,
    | "id"
    | "postgres"
    | "advertisedHost"
    | "tokens"
    | "tls"
    | "transfers"
    | "autoBackupDestination"
    | "backupMaxAgeMs"
    | "recipients"
    | "identities"
    | "policies"
    | "trustedSigners"
  >
> &
  Pick<
    HostOptions,
    | "id"
    | "postgres"
    | "advertisedHost"
    | "tokens"
    | "tls"
    | "autoBackupDestination"
    | "backupMaxAgeMs"
    | "recipients"
    | "identities"
    | "policies"
    | "trustedSigners"
  > & {
    transfers: TransferLimits;
  };

/**
 * Returns whether a text is a valid host ID: 1 to 128 printable ASCII characters without spaces.
 */
export function isHostId(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}

/** The name by which other hosts reach a port that listens on an address: none reaches a wildcard from outside. */
export const advertisedName = (
  { advertisedHost }: Pick<HostOptions, "advertisedHost">,
  listening: string,
): string =>
  advertisedHost ?? (listening === "0.0.0.0" || listening === "::" ? hostname() : listening);

const hostPaths = [
  "/v1",
  "/core/management",
  "/core/operation-index",
  openedIndexPath,
  "/core/query-tasks",
  "/core/query-page",
  "/local-files",
  "/metrics",
  "/healthz",
];

/** Returns whether the host itself serves a path. */
function isHostPath(path: string): boolean {
  return hostPaths.some((one) => path === one || path.startsWith(`${one}/`));
}

/** Applies defaults and validates options. Throws CONFIGURATION_INVALID. */
export function resolveOptions(options: HostOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    httpHost: "127.0.0.1",
    httpPort: 8000,
    grpcHost: "127.0.0.1",
    grpcPort: 8001,
    memoryIndexes: [],
    backupRoots: [],
    fileRoots: [],
    secretFiles: [],
    certificateFiles: [],
    historyMs: limits.historyMs,
    retainedVersions: limits.retainedVersions,
    hostNames: [],
    streamIdleMs: limits.streamIdleMs,
    allowDestinations: [],
    clientTls: {},
    s3: {},
    destinations: {},
    corsOrigins: [],
    console: true,
    openedBytes: limits.openedBytes,
    logger: silent,
    platform: systemPlatform,
    ...(Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined),
    ) as unknown as HostOptions),
    factories: [...defaultFactories, ...(options.factories ?? [])],
    transfers: {
      maxCount: limits.transfers,
      maxBytes: limits.transferBytes,
      leaseMs: limits.transferExpiryMs,
      ...options.transfers,
    },
  };
  const invalid = (problem: string) => new HostError("CONFIGURATION_INVALID", problem);
  if (!options.dataDirectory)
    throw invalid("The data directory is empty. Set it with --data-dir DIR.");
  for (const [name, port] of [
    ["HTTP", resolved.httpPort],
    ["gRPC", resolved.grpcPort],
  ] as const) {
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw invalid(`Invalid ${name} port ${port}: must be between 0 and 65535.`);
  }
  if (!Number.isInteger(resolved.retainedVersions) || resolved.retainedVersions < 1)
    throw invalid("Invalid number of retained versions (--retain-versions): must be at least 1.");
  if (!(resolved.historyMs >= 0))
    throw invalid("Invalid --history: must be a duration such as 24h.");
  if (options.backupMaxAgeMs !== undefined && !(options.backupMaxAgeMs >= limits.backupAgeCheckMs))
    throw invalid(
      "Invalid maximum age of the newest backup (--backup-max-age): must be at least 1 second, for example 24h.",
    );
  if (options.id !== undefined && !isHostId(options.id))
    throw invalid("Invalid host ID: must be 1 to 128 printable ASCII characters without spaces.");
  if (options.tls !== undefined) checkTls(options.tls);
  checkOrigins(resolved.corsOrigins, options.tokens !== undefined);
  const indexLinks = [durableIndexLink, inMemoryIndexLink, ...resolved.memoryIndexes];
  const paths = new Set<string>();
  for (const { path, indexLink } of resolved.factories) {
    if (!/^\/[^\s?#]*[^\s?#/]$/.test(path))
      throw invalid(`Invalid factory path ${path}: must have the form /path.`);
    const isReserved = isHostPath(path);
    if (isReserved || indexLinks.some((link) => path === link || path === `${link}-backup`))
      throw invalid(`The factory path ${path} is reserved by the host.`);
    if (paths.has(path)) throw invalid(`Factory ${path} is defined twice.`);
    paths.add(path);
    if (!indexLinks.includes(indexLink))
      throw invalid(
        `Index ${indexLink} of factory ${path} does not exist. To add it as an in-memory index: --memory-index ${indexLink}.`,
      );
  }
  for (const link of resolved.memoryIndexes) {
    if (isHostPath(link) || indexLinks.some((one) => link === `${one}-backup`))
      throw invalid(`The in-memory index link ${link} is reserved by the host.`);
    if (!/^\/[\w./-]{1,200}$/.test(link) || indexLinks.filter((one) => one === link).length > 1)
      throw invalid(
        `Invalid in-memory index link ${link}: malformed or already used by another index.`,
      );
  }
  return resolved;
}
