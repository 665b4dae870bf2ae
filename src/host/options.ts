import type { DestinationScheme } from "../destination/registry.js";
import { HostError } from "../errors.js";
import { systemPlatform, type Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { checkOrigins } from "../security/origins.js";
import { checkTls, type TlsIdentity } from "../security/tls.js";
import type { FactoryDescription } from "../service/documents/document-service.js";
import type { TransferLimits } from "../destination/transfer/transfer.js";
import {
  defaultFactories,
  durableIndexLink,
  inMemoryIndexLink,
} from "../service/documents/factories.js";

/** What a host is made of. Everything but the data directory has a default. */
export interface HostOptions {
  /** Holds the indexes; made if it is missing, its parent is not. One host at a time. */
  dataDirectory: string;
  /** Becomes documentOwner of what this host writes. Default: a random one, kept in the data directory. */
  id?: string;
  /** Default 127.0.0.1. Any other than loopback needs tokens and a backup root. */
  httpHost?: string;
  /** Default 8000; 0 takes a free one. */
  httpPort?: number;
  /** Default 127.0.0.1. */
  grpcHost?: string;
  /** Default 8001; 0 takes a free one. */
  grpcPort?: number;
  /** Beyond /core/examples and /core/in-memory-examples. */
  factories?: FactoryDescription[];
  /** Links of further in-memory indexes. */
  memoryIndexes?: string[];
  /** Backups may only lie in these directories. Default: anywhere, which only a host bound to loopback may do. */
  backupRoots?: string[];
  /** Where automatic backups go: made if it is missing, its parent is not. Default: auto-backup in the data directory. */
  autoBackupDirectory?: string;
  /** Files of /local-files may only lie in these directories. Default: the backup roots; with tokens or a client CA none, so that it serves no files. */
  fileRoots?: string[];
  /** Files with secrets of this host, such as that of the tokens: /local-files serves none of them. */
  secretFiles?: string[];
  /** Those of them that are certificates, which anybody may read. */
  certificateFiles?: string[];
  /** How long versions beyond the retained count stay, in milliseconds. Default 24 h. */
  historyMs?: number;
  /** Versions of one document that stay whatever their age. Default 10,000. */
  retainedVersions?: number;
  /** The text of a token file: one token a line with its roles. Default: no tokens are asked for. */
  tokens?: string;
  /** TLS on both ports; with a client CA, clients must show a certificate of it. Default: plain text. */
  tls?: TlsIdentity;
  /** Origins whose pages may ask this host from a browser, or "*" for all, which needs tokens. Default: none. */
  corsOrigins?: string[];
  /** Names beside its addresses under which clients may ask for this host. */
  hostNames?: string[];
  /** How many archives the host keeps for streams, what they may take, and for how long. Default: as in limits.ts. */
  transfers?: Partial<TransferLimits>;
  /** A stream whose other end sends or takes nothing for so long is ended, in milliseconds. Default 2 min. */
  streamIdleMs?: number;
  /** `HOST` or `HOST:PORT` each: private addresses that http(s) backups may go to although others can reach this host. */
  allowDestinations?: string[];
  /** Further destinations by the scheme of their URIs, in lower case, for example `{ memory: scheme }`. Default: none beside file, http, https and transfer. */
  destinations?: Readonly<Record<string, DestinationScheme>>;
  /** PEM texts for outgoing https: authorities beside Node's own, and a certificate of this host with its key. */
  clientTls?: { ca?: string; certificate?: string; key?: string };
  /** How old the newest good backup of the durable index may be before health says so, in milliseconds. Default: as old as it likes. */
  backupMaxAgeMs?: number;
  /** Hears what happens; the default writes nothing. */
  logger?: HostLogger;
  /** The surroundings; tests put their own in place. */
  platform?: Platform;
}

/** The part of pino's interface that the host uses. */
export interface HostLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const silent: HostLogger = { info() {}, warn() {}, error() {} };

export type ResolvedOptions = Required<
  Omit<
    HostOptions,
    "id" | "tokens" | "tls" | "transfers" | "autoBackupDirectory" | "backupMaxAgeMs"
  >
> &
  Pick<HostOptions, "id" | "tokens" | "tls" | "autoBackupDirectory" | "backupMaxAgeMs"> & {
    transfers: TransferLimits;
  };

/** 1 to 128 printable characters without spaces: it goes into documents and file names of logs. */
export function isHostId(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}

const hostPaths = [
  "/v1",
  "/core/management",
  "/core/operation-index",
  "/core/query-tasks",
  "/core/query-page",
  "/local-files",
  "/metrics",
  "/healthz",
];

/** Whether a path is one that the host serves itself. */
function isHostPath(path: string): boolean {
  return hostPaths.some((one) => path === one || path.startsWith(`${one}/`));
}

/** Fills in defaults and refuses what cannot be: CONFIGURATION_INVALID. */
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
    destinations: {},
    corsOrigins: [],
    logger: silent,
    platform: systemPlatform,
    ...(Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined),
    ) as unknown as HostOptions),
    factories: [...defaultFactories, ...(options.factories ?? [])],
    transfers: {
      maxCount: limits.transfers,
      maxBytes: limits.transferBytes,
      leaseMs: limits.transferLeaseMs,
      ...options.transfers,
    },
  };
  const invalid = (problem: string) => new HostError("CONFIGURATION_INVALID", problem);
  if (!options.dataDirectory) throw invalid("A data directory is needed: --data-dir DIR.");
  for (const [name, port] of [
    ["HTTP", resolved.httpPort],
    ["gRPC", resolved.grpcPort],
  ] as const) {
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw invalid(`The ${name} port ${port} is none: give a number from 0 to 65535.`);
  }
  if (!Number.isInteger(resolved.retainedVersions) || resolved.retainedVersions < 1)
    throw invalid("The count of retained versions must be at least 1.");
  if (!(resolved.historyMs >= 0)) throw invalid("The history must be a duration, for example 24h.");
  if (options.backupMaxAgeMs !== undefined && !(options.backupMaxAgeMs >= limits.backupAgeCheckMs))
    throw invalid(
      "The age that the newest backup may have must be a second at least, for example 24h.",
    );
  if (options.id !== undefined && !isHostId(options.id))
    throw invalid("The host id must be 1 to 128 printable characters without spaces.");
  if (options.tls !== undefined) checkTls(options.tls);
  checkOrigins(resolved.corsOrigins, options.tokens !== undefined);
  const indexLinks = [durableIndexLink, inMemoryIndexLink, ...resolved.memoryIndexes];
  const paths = new Set<string>();
  for (const { path, indexLink } of resolved.factories) {
    if (!/^\/[^\s?#]*[^\s?#/]$/.test(path))
      throw invalid(`The factory path ${path} is none: write /path.`);
    const taken = isHostPath(path);
    if (taken || indexLinks.some((link) => path === link || path === `${link}-backup`))
      throw invalid(`The factory path ${path} is taken by the host.`);
    if (paths.has(path)) throw invalid(`The factory ${path} is there twice.`);
    paths.add(path);
    if (!indexLinks.includes(indexLink))
      throw invalid(
        `The factory ${path} wants the index ${indexLink}, which is not there; add --memory-index ${indexLink}.`,
      );
  }
  for (const link of resolved.memoryIndexes) {
    if (isHostPath(link) || indexLinks.some((one) => link === `${one}-backup`))
      throw invalid(`The in-memory index ${link} has a link that is taken by the host.`);
    if (!/^\/[\w./-]{1,200}$/.test(link) || indexLinks.filter((one) => one === link).length > 1)
      throw invalid(`The in-memory index ${link} is not a link of its own.`);
  }
  return resolved;
}
