import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AutoBackup } from "../backup/schedule/auto-backup.js";
import { openWrittenManifests } from "../backup/written-manifests.js";
import { FileDestination } from "../destination/file/destination.js";
import { isWithin, resolveLinks, resolveRoots, type Roots } from "../destination/file/roots.js";
import { FileScheme } from "../destination/file/scheme.js";
import { parseAllowedDestination } from "../destination/http/address-policy.js";
import { HttpScheme } from "../destination/http/scheme.js";
import { clientTls } from "../destination/http/tls.js";
import { DestinationRegistry } from "../destination/registry.js";
import { TransferScheme } from "../destination/transfer/scheme.js";
import { openTransfers, type Transfers } from "../destination/transfer/transfers.js";
import { transferUri } from "../destination/transfer/transfer.js";
import { sqliteEngine } from "../engine/sqlite/storage-engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { operationJournal } from "../operation/journal.js";
import { openOperations, type Operations } from "../operation/operations.js";
import { describeManifest } from "../segment/description.js";
import { isLoopback } from "../security/hosts.js";
import { openBackupRecords, type BackupRecords } from "../service/backups/backup-records.js";
import { createIndexStates, type IndexStates } from "../service/backups/index-states.js";
import { startAutoBackup } from "../service/backups/start-auto-backup.js";
import {
  openStreamedManifests,
  type StreamedManifests,
} from "../service/backups/streamed-manifests.js";
import { openVerifications, type Verifications } from "../service/backups/verifications.js";
import { durableIndexLink } from "../service/documents/factories.js";
import { watchBackupHealth, type BackupHealthWatch } from "../service/host/backup-health.js";
import type { Stats } from "../stats/stats.js";
import type { HostContext } from "./context.js";
import { DataDirectory } from "./data-directory.js";
import { productVersion } from "./product-version.js";
import type { Storage } from "./storage.js";

/** Where backups may be, with links resolved. */
export interface BackupPaths {
  roots: Roots;
  dataDirectory: string;
  /** As given, for people to read. */
  autoBackupDirectory: string;
  realAutoBackupDirectory: string;
}

/** What backups and restores need beside the indexes. */
export interface Backups {
  readonly paths: BackupPaths;
  readonly transfers: Transfers;
  readonly registry: DestinationRegistry;
  readonly states: IndexStates;
  readonly operations: Operations;
  readonly streamed: StreamedManifests;
  readonly verifications: Verifications;
  readonly written: Awaited<ReturnType<typeof openWrittenManifests>>;
  readonly records: BackupRecords;
  readonly autoBackup: AutoBackup;
  /** Turns automatic backups on or off for good. */
  saveAutoBackup(enabled: boolean): Promise<void>;
  readonly health: BackupHealthWatch;
}

/** Second stage: destinations, operations, and automatic backups. */
export async function openBackups(
  context: HostContext,
  storage: Storage,
  stats: Stats,
): Promise<Backups> {
  const { options, directory, lifecycle, logger, onInternalError } = context;
  const { platform } = options;
  const paths = await resolvePaths(context);
  const warn = (fields: object, message: string) => logger.warn(fields, message);
  const records = await openBackupRecords({ platform, path: directory.backupRecords, warn });
  lifecycle.onClose(() => records.close());
  const transfers = await openTransfers(
    platform,
    directory.transfers,
    options.transfers,
    onInternalError,
  );
  lifecycle.onClose(() => transfers.close());
  const streamed = await openStreamedManifests(platform, directory.streamedManifests);
  const registry = createRegistry(context, paths, transfers, streamed);
  const states = createIndexStates({
    platform,
    registry,
    storageEngine: sqliteEngine,
    indexOf: storage.indexOf,
    ownIndexIds: storage.ownIndexIds,
    temporaryDirectory: directory.temporary,
  });
  // Behind the operations, which read by them.
  lifecycle.onClose(() => states.close());
  const operations = await openHostOperations(context);
  const verifications = await openVerifications(platform, directory.verifications, (error) =>
    warn({ err: error }, "results of earlier backup checks cannot be read; they are forgotten"),
  );
  const written = await openWrittenManifests(platform, directory.writtenManifests, (error) =>
    warn(
      { err: error },
      "the record of written backups cannot be read; the next backup to each destination is a new base",
    ),
  );
  const shared = { paths, records, verifications, written };
  const automatic = await startAutomaticBackups(context, storage, stats, shared);
  return { ...shared, ...automatic, transfers, registry, states, operations, streamed };
}

async function resolvePaths({ options, directory }: HostContext): Promise<BackupPaths> {
  const { files } = options.platform;
  const autoBackupDirectory = resolve(options.autoBackupDirectory ?? directory.autoBackup);
  const dataDirectory = await files.realPath(directory.path);
  const realAutoBackupDirectory = await resolveLinks(files, autoBackupDirectory);
  const isDefault = realAutoBackupDirectory === new DataDirectory(dataDirectory).autoBackup;
  if (isWithin(realAutoBackupDirectory, dataDirectory) && !isDefault) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The directory for automatic backups, ${autoBackupDirectory}, is in the data directory, where the host removes what it does not know. Choose one outside, or none for ${directory.autoBackup}.`,
    );
  }
  const roots = await resolveRoots(files, options.backupRoots);
  return { roots, dataDirectory, autoBackupDirectory, realAutoBackupDirectory };
}

function createRegistry(
  { options, directory }: HostContext,
  { roots, dataDirectory, realAutoBackupDirectory }: BackupPaths,
  transfers: Transfers,
  streamed: StreamedManifests,
): DestinationRegistry {
  const { platform } = options;
  const http = new HttpScheme({
    platform,
    policy: {
      allowPrivate: isLoopback(options.httpHost) && isLoopback(options.grpcHost),
      allowed: options.allowDestinations.map(parseAllowedDestination),
    },
    tls: clientTls(options.clientTls),
    temporaryDirectory: directory.temporary,
  });
  return new DestinationRegistry({
    ...options.destinations,
    file: new FileScheme({
      platform,
      roots,
      dataDirectory,
      autoBackupDirectory: realAutoBackupDirectory,
    }),
    http,
    https: http,
    transfer: new TransferScheme({
      platform,
      transfers,
      async onStored(name, manifest) {
        await streamed.keep(manifest);
        return describeManifest({ uri: transferUri(name), container: "ZIP" }, manifest);
      },
    }),
  });
}

async function openHostOperations({
  options,
  directory,
  events,
  lifecycle,
  logger,
}: HostContext): Promise<Operations> {
  const { platform } = options;
  const onDamaged = (path: string) =>
    logger.warn(
      { path },
      "an operation's file is damaged; it is left out of the operations list. Remove the file to silence this warning",
    );
  const operations = await openOperations({
    platform,
    journal: operationJournal(platform, directory.operations, onDamaged),
    onSettled: (view) => void events.emit("operationEnded", view),
    onJournalError: (error) =>
      logger.warn(
        { err: error },
        "an operation could not be recorded; it is forgotten when the host stops",
      ),
  });
  lifecycle.onClose(() => operations.close(limits.shutdownMs));
  return operations;
}

/** Automatic backups, and whether backups are as the settings want them. */
async function startAutomaticBackups(
  context: HostContext,
  { durableIndex }: Storage,
  stats: Stats,
  {
    paths,
    records,
    verifications,
    written,
  }: Pick<Backups, "paths" | "records" | "verifications" | "written">,
): Promise<Pick<Backups, "autoBackup" | "saveAutoBackup" | "health">> {
  const { options, directory, hostId, startTimeMicros, events, lifecycle, logger } = context;
  const { platform } = options;
  const uri = pathToFileURL(paths.realAutoBackupDirectory).href;
  const { autoBackup, save } = await startAutoBackup({
    platform,
    isDamaged: (manifestSha256) => verifications.isDamaged({ uri, manifestSha256 }),
    written,
    index: durableIndex,
    destination: new FileDestination({
      platform,
      path: paths.autoBackupDirectory,
      create: true,
    }),
    hostId,
    productVersion,
    settingPath: directory.autoBackupSetting,
    stats,
    warn: (fields, message) => logger.warn(fields, message),
    onRun(run) {
      if (run.outcome !== "skipped") events.emit("autoBackupRan", run);
    },
    onHealth: (problem) => void events.emit("autoBackupProblem", problem),
    onBackgroundError: context.onInternalError,
  });
  const health = watchBackupHealth({
    facts: () => ({
      nowMicros: platform.nowMicros(),
      startMicros: startTimeMicros,
      maxAgeMicros: (options.backupMaxAgeMs ?? 0) * 1000,
      indexLink: durableIndexLink,
      records: records.all(),
    }),
    hasDocuments: async () => (await durableIndex.state()).versions > 0,
    autoBackupCurrent: () => autoBackup.status().state === "CURRENT",
    onChange: (changed) => void events.emit("backupHealthChanged", changed),
    onBackgroundError: context.onInternalError,
  });
  events.on("committed", () => autoBackup.changed());
  events.on("autoBackupRan", (run) =>
    records.noteAutoBackup(run, { indexLink: durableIndexLink, destination: uri }),
  );
  events.on("autoBackupProblem", (problem) => health.autoBackup(problem));
  events.on("operationEnded", (view) => {
    records.noteOperation(view);
    health.changed();
  });
  events.on("backupHealthChanged", ({ healthy, problem }) => {
    if (healthy) logger.info({}, "backups healthy");
    else logger.warn({ problem }, "backups unhealthy");
  });
  lifecycle.onClose(() => health.close());
  lifecycle.onClose(() => autoBackup.close());
  return { autoBackup, saveAutoBackup: save, health };
}
