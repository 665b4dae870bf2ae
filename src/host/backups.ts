import { pathToFileURL } from "node:url";
import type { AutoBackup } from "../backup/schedule/auto-backup.js";
import { resolveTarget } from "../container/resolve.js";
import { openWrittenManifests } from "../backup/written-manifests.js";
import { isWithin, resolveLinks, resolveRoots, type Roots } from "../destination/file/roots.js";
import { FileScheme } from "../destination/file/scheme.js";
import {
  parseAllowedDestination,
  type AddressPolicy,
} from "../destination/network/address-policy.js";
import { clientTls, type ClientTls } from "../destination/network/tls.js";
import { DestinationRegistry } from "../destination/registry.js";
import { openRemoteSchemes } from "../destination/remote-schemes.js";
import { schemeOf } from "../destination/file/uri.js";
import type { EncryptTo } from "../encoding/encoding-call.js";
import { parseRecipients } from "../encryption/recipients.js";
import { TransferScheme } from "../destination/transfer/scheme.js";
import { Transfers } from "../destination/transfer/transfers.js";
import { transferUri } from "../destination/transfer/transfer.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { operationJournal } from "../operation/journal.js";
import { Operations } from "../operation/operations.js";
import { describeManifest } from "../segment/description.js";
import { isLoopback } from "../security/hosts.js";
import { BackupRecords } from "../service/backups/backup-records.js";
import { IndexStates } from "../service/backups/index-states.js";
import { OpenedIndexes } from "../service/backups/opened-indexes.js";
import { startAutoBackup } from "../service/backups/start-auto-backup.js";
import {
  openStreamedManifests,
  type StreamedManifests,
} from "../service/backups/streamed-manifests.js";
import { openVerifications, type Verifications } from "../service/backups/verifications.js";
import { durableIndexLink, isOpenedLink } from "../service/documents/factories.js";
import { watchBackupHealth, type BackupHealthWatch } from "../service/host/backup-health.js";
import type { Stats } from "../stats/stats.js";
import type { HostContext } from "./context.js";
import { DataDirectory } from "./data-directory.js";
import { directoriesOf, isS3Uri, isUri, pathOfDestination } from "./destination-option.js";
import { parseS3Uri } from "../destination/s3/uri.js";
import { productVersion } from "./product-version.js";
import { openSigning, type Signing } from "./signing.js";
import type { LeaderStorage, State } from "./storage.js";

/** Where backups may be stored. */
export interface BackupPaths {
  /** Directories, with links resolved. */
  roots: Roots;
  /** The directories, and the URIs below which backups may be in object stores. */
  rootNames: string[];
  /** With links resolved. */
  dataDirectory: string;
  /** URI of automatic backups as configured, without credentials. */
  autoBackupUri: string;
  /** Name of that destination in messages: the path of a directory, or the URI. */
  autoBackupName: string;
  /** With links resolved; undefined if automatic backups go elsewhere than to a directory. */
  autoBackupDirectory: string | undefined;
}

/** How this host reaches others. */
export interface Network {
  policy: AddressPolicy;
  tls: ClientTls;
}

/** What backups and restores use in addition to the indexes. */
export interface Backups {
  readonly paths: BackupPaths;
  readonly transfers: Transfers;
  readonly registry: DestinationRegistry;
  /** How this host reaches others. */
  readonly network: Network;
  readonly states: IndexStates;
  readonly opened: OpenedIndexes;
  readonly operations: Operations;
  readonly streamed: StreamedManifests;
  readonly verifications: Verifications;
  readonly written: Awaited<ReturnType<typeof openWrittenManifests>>;
  readonly records: BackupRecords;
  readonly autoBackup: AutoBackup;
  readonly signing: Signing;
  /** Signs manifests. */
  readonly sign: Signing["sign"];
  /** Manifests that it refuses are not used. */
  readonly trust: Signing["trust"];
  /** Who can decrypt backups by default. Undefined: they are not encrypted. */
  readonly encryptTo: EncryptTo | undefined;
  /** URI under which automatic backups are stored, with links resolved; without credentials. */
  readonly autoBackupUri: string;
  /** Stores whether automatic backups are enabled. */
  saveAutoBackup(enabled: boolean): Promise<void>;
  readonly health: BackupHealthWatch;
}

/** Second stage: destinations, operations, and automatic backups. */
export async function openBackups(
  context: HostContext,
  storage: LeaderStorage,
  stats: Stats,
): Promise<Backups> {
  const { options, directory, lifecycle, logger, onInternalError } = context;
  const { platform } = options;
  const { state } = storage;
  const paths = await resolvePaths(context);
  const warn = (fields: object, message: string) => logger.warn(fields, message);
  const records = await BackupRecords.open({
    platform: state.platform,
    path: state.directory.backupRecords,
    warn,
  });
  lifecycle.onClose(() => records.close());
  const transfers = await Transfers.open(
    platform,
    directory.transfers,
    options.transfers,
    onInternalError,
  );
  lifecycle.onClose(() => transfers.close());
  const streamed = await openStreamedManifests(state.platform, state.directory.streamedManifests);
  const network = {
    policy: {
      allowPrivate: isLoopback(options.httpHost) && isLoopback(options.grpcHost),
      allowed: options.allowDestinations.map(parseAllowedDestination),
    },
    tls: clientTls(options.clientTls),
  };
  const registry = createRegistry(context, paths, network, transfers, streamed);
  const signing = await openSigning(context);
  const { sign, trust } = signing;
  const states: IndexStates = new IndexStates({
    platform,
    registry,
    storageEngine: storage.storageEngine,
    indexOf: (link) => (isOpenedLink(link) ? opened.indexOf(link) : storage.indexOf(link)),
    ownIndexIds: storage.ownIndexIds,
    temporaryDirectory: directory.temporary,
    trust,
  });
  const opened = new OpenedIndexes({
    platform,
    states,
    maxBytes: options.openedBytes,
    directory: directory.temporary,
    onBackgroundError: onInternalError,
  });
  // Closes after the states, which use it.
  lifecycle.onClose(() => opened.close());
  // Opened before operations, which use them, so that they close later.
  lifecycle.onClose(() => states.close());
  const operations = await openHostOperations(context, state);
  const verifications = await openVerifications(
    state.platform,
    state.directory.verifications,
    (error) =>
      warn({ err: error }, "results of earlier backup checks cannot be read; they are forgotten"),
  );
  const written = await openWrittenManifests(
    state.platform,
    state.directory.writtenManifests,
    (error) =>
      warn(
        { err: error },
        "the record of written backups cannot be read; the next backup to each destination is a new base",
      ),
  );
  const encryptTo = await defaultRecipients(context);
  const shared = {
    paths,
    registry,
    records,
    verifications,
    written,
    encryptTo,
    signing,
    sign,
    trust,
  };
  const automatic = await startAutomaticBackups(context, storage, stats, shared);
  return { ...shared, ...automatic, network, transfers, states, opened, operations, streamed };
}

/** Throws RECIPIENT_INVALID for an invalid recipient of the configuration. */
async function defaultRecipients({ options }: HostContext): Promise<EncryptTo | undefined> {
  if (options.recipients === undefined) return undefined;
  const { list } = await parseRecipients(options.recipients, "the recipients of the host");
  return { recipients: list };
}

async function resolvePaths({ options, directory }: HostContext): Promise<BackupPaths> {
  const { files } = options.platform;
  const roots = await resolveRoots(
    files,
    options.backupRoots.length > 0 ? directoriesOf(options.backupRoots) : undefined,
  );
  const rootNames = [...(roots.paths ?? []), ...options.backupRoots.filter(isUri)];
  const dataDirectory = await files.realPath(directory.path);
  const { autoBackupDestination = directory.autoBackup } = options;
  const path = pathOfDestination(autoBackupDestination);
  if (path === undefined) {
    const uri = autoBackupDestination;
    if (isS3Uri(uri)) parseS3Uri(uri);
    return {
      roots,
      rootNames,
      dataDirectory,
      autoBackupUri: uri,
      autoBackupName: uri,
      autoBackupDirectory: undefined,
    };
  }
  const autoBackupDirectory = await resolveLinks(files, path);
  const isDefault = autoBackupDirectory === new DataDirectory(dataDirectory).autoBackup;
  if (isWithin(autoBackupDirectory, dataDirectory) && !isDefault) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Automatic backups cannot go to ${path} inside the data directory, where the host removes unknown files. Choose a destination outside, or omit the option to use ${directory.autoBackup}.`,
    );
  }
  const autoBackupUri = pathToFileURL(path).href;
  return {
    roots,
    rootNames,
    dataDirectory,
    autoBackupUri,
    autoBackupName: path,
    autoBackupDirectory,
  };
}

function createRegistry(
  { options, directory, lifecycle }: HostContext,
  { roots, dataDirectory, autoBackupDirectory, autoBackupUri }: BackupPaths,
  network: Network,
  transfers: Transfers,
  streamed: StreamedManifests,
): DestinationRegistry {
  const { platform } = options;
  const remote = openRemoteSchemes({
    platform,
    ...network,
    s3: options.s3,
    // As for directories, automatic backups can be restored regardless of the roots.
    ...(options.backupRoots.length > 0 && {
      s3Roots: [...options.backupRoots, autoBackupUri].filter(isS3Uri),
    }),
    temporaryDirectory: directory.temporary,
  });
  lifecycle.onClose(() => remote.close());
  return new DestinationRegistry({
    ...options.destinations,
    ...remote.schemes,
    file: new FileScheme({
      platform,
      roots,
      dataDirectory,
      ...(autoBackupDirectory !== undefined && { autoBackupDirectory }),
    }),
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

/** CONFIGURATION_INVALID unless the scheme of the URI takes incremental backups. */
function requireDirectoryBackups(registry: DestinationRegistry, uri: string): void {
  const scheme = registry.schemeOf(uri);
  if (scheme.containers.includes("DIRECTORY")) return;
  throw new HostError(
    "CONFIGURATION_INVALID",
    `Automatic backups cannot go to ${schemeOf(uri)}: destinations, which take backups of type ${scheme.containers.join(" or ")}. Choose a directory, or a destination that takes backups of type DIRECTORY.`,
  );
}

async function openHostOperations(
  { events, lifecycle, logger }: HostContext,
  { platform, directory }: State,
): Promise<Operations> {
  const onDamaged = (path: string) =>
    logger.warn(
      { path },
      "an operation's file is damaged; it is left out of the operations list. Remove the file to silence this warning",
    );
  const operations = await Operations.open({
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

/** Starts automatic backups and the watch of backup health. */
async function startAutomaticBackups(
  context: HostContext,
  { durableIndex, state }: LeaderStorage,
  stats: Stats,
  {
    paths,
    registry,
    records,
    verifications,
    written,
    encryptTo,
    sign,
    trust,
  }: Pick<
    Backups,
    "paths" | "registry" | "records" | "verifications" | "written" | "encryptTo" | "sign" | "trust"
  >,
): Promise<Pick<Backups, "autoBackup" | "autoBackupUri" | "saveAutoBackup" | "health">> {
  const { options, directory, hostId, startTimeMicros, events, lifecycle, logger } = context;
  const { platform } = options;
  const { autoBackupUri: destination, autoBackupName: displayName, autoBackupDirectory } = paths;
  const uri =
    autoBackupDirectory === undefined ? destination : pathToFileURL(autoBackupDirectory).href;
  requireDirectoryBackups(registry, uri);
  const containers = { platform, registry, temporaryDirectory: directory.temporary, trust };
  const { autoBackup, save } = await startAutoBackup({
    platform,
    isDamaged: (manifestSha256) => verifications.isDamaged({ uri, manifestSha256 }),
    written,
    index: durableIndex,
    destination,
    displayName,
    target: () => resolveTarget(containers, { destination: uri, container: "DIRECTORY" }),
    encryptTo,
    sign,
    temporaryDirectory: directory.temporary,
    hostId,
    productVersion,
    setting: { platform: state.platform, path: state.directory.autoBackupSetting },
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
  events.on("committed", (link) => {
    if (link === durableIndexLink) autoBackup.changed();
  });
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
  return { autoBackup, autoBackupUri: uri, saveAutoBackup: save, health };
}
