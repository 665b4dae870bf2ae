import { join } from "node:path";
import type { Lease, StorageEngine } from "../engine/engine.js";
import { openPostgres, openSqlite, tryPostgres, type DatabaseOptions } from "../engine/registry.js";
import { memoryParent, openMemoryDirectory } from "../engine/sqlite/memory-directory.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import {
  durableIndexLink,
  inMemoryIndexLink,
  isOpenedLink,
} from "../service/documents/factories.js";
import { DocumentIndex } from "../store/document-index.js";
import type { HostContext } from "./context.js";
import { DataDirectory, findInstallation } from "./data-directory.js";
import type { PostgresOptions } from "./options.js";
import { productVersion } from "./product-version.js";

/** The document indexes of a host. */
export interface Storage {
  readonly storageEngine: StorageEngine;
  /** By link. */
  readonly indexes: ReadonlyMap<string, DocumentIndex>;
  readonly durableIndex: DocumentIndex;
  /** INDEX_NOT_FOUND for an unknown link. */
  indexOf(link: string): DocumentIndex;
  /** Returns the present IDs of the indexes. */
  ownIndexIds(): string[];
  /** Where the leader keeps what it knows of operations, policies and backups: its data directory, or the database. */
  stateOf(lease: Lease | undefined): State;
}

/** What the services of the leader work with. */
export interface LeaderStorage extends Storage {
  readonly state: State;
}

/** A place for small files. */
export interface State {
  readonly platform: Platform;
  readonly directory: DataDirectory;
}

/** Root of the paths of state files in a database, the same for all hosts. */
const stateRoot = "/holdfast";

/** First stage: opens the indexes, and expires and compacts them as long as the host runs. */
export async function openStorage(context: HostContext): Promise<Storage> {
  const { platform, postgres } = context.options;
  const files = { platform, directoryOf: () => context.directory.index };
  const storageEngine = postgres
    ? openPostgres(files, await databaseOf(postgres, context))
    : openSqlite(files);
  context.lifecycle.onClose(() => storageEngine.close?.());
  const indexes = await openIndexes(context, storageEngine);
  const indexOf = (link: string): DocumentIndex => {
    const index = indexes.get(link);
    if (index) return index;
    throw new HostError(
      "INDEX_NOT_FOUND",
      isOpenedLink(link)
        ? `${link} is open for reading only. Name an index of the host, for example ${durableIndexLink}.`
        : `Index ${link} not found`,
      { metadata: { link } },
    );
  };
  const { shared } = storageEngine;
  const leads = () => shared === undefined || shared.membership.term() !== undefined;
  sweepIndexes(context, [...indexes.values()], leads);
  if (shared) watchOthers(context, indexOf(durableIndexLink), leads);
  return {
    storageEngine,
    indexes,
    indexOf,
    durableIndex: indexOf(durableIndexLink),
    ownIndexIds: () => [...indexes.values()].map((index) => index.indexId()),
    stateOf: (lease) =>
      shared && lease
        ? {
            platform: { ...platform, files: shared.stateFiles(lease) },
            directory: new DataDirectory(stateRoot),
          }
        : { platform, directory: context.directory },
  };
}

/** Connects to a database, and checks that it can be trusted. Changes nothing. CONFIGURATION_INVALID, DATABASE_UNAVAILABLE. */
export const checkDatabase = (options: PostgresOptions): Promise<void> =>
  tryPostgres(addressOf(options), options.schema ?? defaultSchema);

const defaultSchema = "holdfast";

/** CONFIGURATION_INVALID for a certificate without its key. */
function addressOf({ url, ca, certificate, key }: PostgresOptions): DatabaseOptions["address"] {
  if ((certificate === undefined) !== (key === undefined))
    throw new HostError(
      "CONFIGURATION_INVALID",
      "A client certificate for the database requires its key: use --postgres-cert-file and --postgres-key-file together.",
    );
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && key !== undefined && { cert: certificate, key }),
  };
  return { url, ...(Object.keys(tls).length > 0 && { tls }) };
}

async function databaseOf(
  postgres: PostgresOptions,
  { options, hostId, directory, onInternalError }: HostContext,
): Promise<DatabaseOptions> {
  return {
    address: addressOf(postgres),
    schema: postgres.schema ?? defaultSchema,
    hostId,
    installation: await findInstallation(options.platform, directory),
    version: productVersion,
    onBackgroundError: onInternalError,
  };
}

async function openIndexes(
  context: HostContext,
  durableEngine: StorageEngine,
): Promise<Map<string, DocumentIndex>> {
  const { options, lifecycle } = context;
  const { platform } = options;
  const memory = await openMemoryDirectory(platform.files, await memoryParent(platform.files));
  lifecycle.onClose(() => memory.remove());
  const inMemory = [inMemoryIndexLink, ...options.memoryIndexes];
  const memoryEngine = openSqlite({
    platform,
    directoryOf: (link) => join(memory.path, `index-${inMemory.indexOf(link)}`),
  });
  // Concurrently, since each starts threads. If one fails, the others are open before the error is thrown, and are closed.
  const opened = await Promise.allSettled([
    openIndex(context, durableEngine, durableIndexLink, false),
    ...inMemory.map((link) => openIndex(context, memoryEngine, link, true)),
  ]);
  return new Map(
    opened.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return [each.value.link, each.value];
    }),
  );
}

async function openIndex(
  { options, hostId, events, lifecycle, onInternalError }: HostContext,
  storageEngine: StorageEngine,
  link: string,
  inMemory: boolean,
): Promise<DocumentIndex> {
  const { platform, retainedVersions, historyMs } = options;
  const index = await DocumentIndex.open(platform, storageEngine, {
    link,
    inMemory,
    // A memory index ends with the process, and has the same identity after the next start.
    ...(inMemory && { indexId: `${hostId}${link}` }),
    nowMicros: platform.nowMicros,
    retainedVersions,
    historyMicros: historyMs * 1000,
    durable: !inMemory,
    onBackgroundError: onInternalError,
    onCommit: () => void events.emit("committed", link),
  });
  lifecycle.onClose(() => index.close());
  return index;
}

/** Reports what other hosts write, which continuous backups follow. */
function watchOthers(
  { lifecycle, onInternalError }: HostContext,
  index: DocumentIndex,
  leads: () => boolean,
): void {
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (leads())
      looking ??= index
        .noticeOthers()
        // Reads and writes report that the database is away.
        .catch((error: unknown) => {
          if (!(error instanceof HostError && error.retryable)) onInternalError(error);
        })
        .finally(() => (looking = undefined));
  }, limits.databaseWatchMs).unref();
  lifecycle.onClose(async () => {
    clearInterval(timer);
    await looking;
  });
}

/** Expires and compacts in bounded steps, those of a database on the leader alone. */
function sweepIndexes(
  { lifecycle, onInternalError }: HostContext,
  indexes: readonly DocumentIndex[],
  leads: () => boolean,
): void {
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(async () => {
        for (const index of indexes)
          if (!stopped && (index.inMemory || leads())) await index.sweep();
      })
      .catch(onInternalError);
  }, limits.compactionIntervalMs);
  lifecycle.onClose(async () => {
    stopped = true;
    clearInterval(timer);
    await running;
  });
}
