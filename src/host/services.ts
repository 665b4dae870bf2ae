import { openTraceBuffer } from "../engine/sqlite/trace-buffer.js";
import { resolve } from "node:path";
import { resolveLinks, resolveRoots, type Roots } from "../destination/file/roots.js";
import { limits } from "../limits.js";
import { createMetrics, type Exposition } from "../metrics/metrics.js";
import { checkAfterUncleanStop } from "../service/backups/check-index.js";
import { createManagementService } from "../service/backups/management.js";
import type { HostDescription } from "../service/host/description.js";
import type { ManagementService } from "../service/backups/management-service.js";
import { StreamService } from "../service/backups/streams.js";
import { createBodyReader } from "../service/documents/body-reader.js";
import type { DocumentService } from "../service/documents/document-service.js";
import { Documents } from "../service/documents/documents.js";
import { openAuditLog, type AuditLog } from "../service/host/audit-log.js";
import { createAuditor, operationEntry, type Auditor } from "../service/host/auditor.js";
import { createHostControl, type HostControl } from "../service/host/host-control.js";
import { logOperation } from "../service/host/log-operation.js";
import { singleHostGroup } from "../service/host/node-group.js";
import {
  createOperationTrace,
  operationIndexLink,
  operationKind,
} from "../service/host/operation-trace.js";
import { recordOperation } from "../service/host/record-stats.js";
import { createRequests, type Requests } from "../service/host/requests.js";
import { createStats, type Stats } from "../stats/stats.js";
import type { DocumentIndex } from "../store/document-index.js";
import { FileStore } from "../xenon/local-files/file-store.js";
import { QueryTasks } from "../xenon/query/query-tasks.js";
import type { Policies } from "../service/policies/policies.js";
import type { Backups } from "./backups.js";
import type { HostContext } from "./context.js";
import { openPolicies } from "./policies.js";
import { productVersion } from "./product-version.js";
import type { Storage } from "./storage.js";

/** An address that a port listens on. */
export interface Address {
  host: string;
  port: number;
}

/** Addresses of both ports; the configured ones until the ports are open. */
export interface Addresses {
  http: Address;
  grpc: Address;
}

/** What a host records about its work. */
export interface Records {
  readonly stats: Stats;
  readonly audit: AuditLog;
}

/** Opens the records of a host. Before operations, so that the audit log closes after them. */
export async function openRecords({
  options,
  directory,
  lifecycle,
  logger,
}: HostContext): Promise<Records> {
  const { platform } = options;
  const audit = await openAuditLog({
    platform,
    directory: directory.audit,
    onLost: (error, count) =>
      logger.error({ err: error, count }, "lines of the audit log could not be written"),
  });
  lifecycle.onClose(() => audit.close());
  return { stats: createStats(platform.nowMicros), audit };
}

/** Services that the protocols call. */
export interface HostServices {
  readonly documents: DocumentService;
  readonly management: ManagementService;
  readonly policies: Policies;
  readonly streams: StreamService;
  readonly control: HostControl;
  readonly queries: QueryTasks;
  readonly fileStore: FileStore;
  readonly auditor: Auditor;
  readonly requests: Requests;
  readonly describeHost: () => Promise<HostDescription>;
  /** Returns the response of /metrics. */
  readonly exposition: () => Promise<Exposition>;
}

/** Third stage: the services, and what counts and records how they are used. */
export async function openServices(
  context: HostContext,
  storage: Storage,
  backups: Backups,
  { stats, audit }: Records,
  addresses: Addresses,
): Promise<HostServices> {
  const { options, directory, hostId, events, lifecycle, logger } = context;
  const { platform } = options;
  const metrics = createMetrics({ nowMicros: platform.nowMicros, version: productVersion });
  lifecycle.onClose(() => metrics.close());
  events.on("operationEnded", (view) => {
    logOperation(logger, view);
    void audit.record(operationEntry(view));
    recordOperation(stats, view);
    metrics.noteOperation(view);
  });
  const { documents, queries, trace } = openDocuments(context, storage);
  const fileStore = await openLocalFiles(context, backups);
  const describeHost = () => describe(context, storage, backups, addresses);
  const { operations, autoBackup } = backups;
  // Policies use the service, which asks them back.
  const later: { policies?: Policies } = {};
  const management = createManagementService({
    ...backups,
    platform,
    storageEngine: storage.storageEngine,
    indexOf: storage.indexOf,
    ownIndexIds: storage.ownIndexIds,
    temporaryDirectory: directory.temporary,
    hostId,
    productVersion,
    describeHost,
    async pauseAutoBackup(source) {
      const resume = isAutoBackupSource(source, backups.autoBackupUri)
        ? await autoBackup.pause()
        : () => {};
      const resumePolicies = await later.policies?.pause((uri) => isAutoBackupSource(source, uri));
      return () => {
        resume();
        resumePolicies?.();
      };
    },
    keepsEarlier: (uri) => later.policies?.hasScheduled(uri) ?? false,
  });
  await checkAfterUncleanStop(
    storage.durableIndex,
    (link) => management.checkIndex(link),
    (fields, message) => logger.warn(fields, message),
  );
  const policies = await openPolicies(context, storage, backups, management);
  later.policies = policies;
  const requests = createRequests({
    counter: metrics.requests,
    log: (request) => logger.info(request, "request"),
    trace: (request) => trace.record(request),
  });
  const streams = new StreamService({
    files: platform.files,
    transfers: backups.transfers,
    management,
    operations,
    idleMs: options.streamIdleMs,
  });
  const control = createHostControl({
    autoBackup,
    saveAutoBackup: (enabled) => backups.saveAutoBackup(enabled),
    requests,
    nodeGroup: singleHostGroup(
      hostId,
      async () => (await storage.durableIndex.state()).positionMicros,
    ),
    stats,
    describeHost,
    shutDown: () => void lifecycle.close().catch(context.onInternalError),
  });
  return {
    documents,
    management,
    policies,
    streams,
    control,
    queries,
    fileStore,
    auditor: createAuditor(audit, context.tokens),
    requests,
    describeHost,
    exposition: () =>
      metrics.read({
        describeHost,
        operations,
        streams,
        stats,
        autoBackup: () => autoBackup.status(),
        policies: () => policies.list(),
      }),
  };
}

/** Opens documents, queries, and the buffer of traced requests. */
function openDocuments(
  { options, hostId, lifecycle, onInternalError }: HostContext,
  { indexOf }: Storage,
) {
  const { platform } = options;
  const traces = openTraceBuffer({
    link: operationIndexLink,
    maxDocuments: limits.tracedOperations,
    maxAgeMicros: limits.tracedAgeMicros,
    nowMicros: platform.nowMicros,
  });
  lifecycle.onClose(() => traces.close());
  const isTraces = (link: string) => link === operationIndexLink;
  const trace = createOperationTrace({ ring: traces, hostId, onError: onInternalError });
  const bodies = createBodyReader();
  lifecycle.onClose(() => bodies.close());
  const documents = new Documents({
    factories: [
      ...options.factories,
      { path: operationIndexLink, kind: operationKind, indexLink: operationIndexLink },
    ],
    indexOf: (link) => (isTraces(link) ? traces : indexOf(link)),
    lineageOf: (link) => (isTraces(link) ? link : indexOf(link).lineage()),
    hostId,
    newId: platform.randomId,
    readBody: bodies.read,
  });
  const queries = new QueryTasks({
    storeOf: (link) => (isTraces(link) ? { ...traces, lineage: () => link } : indexOf(link)),
    nowMicros: platform.nowMicros,
    newId: platform.randomId,
    onInternalError,
  });
  lifecycle.onClose(() => queries.close());
  return { documents, queries, trace };
}

async function openLocalFiles(context: HostContext, { paths }: Backups): Promise<FileStore> {
  const { options, directory, lifecycle } = context;
  const { platform, secretFiles } = options;
  const resolved = secretFiles.map((path) => resolveLinks(platform.files, resolve(path)));
  const fileStore = await FileStore.open(platform, {
    directory: directory.fileServices,
    roots: await fileRoots(context, paths.roots),
    closed: [
      paths.dataDirectory,
      ...(paths.autoBackupDirectory === undefined ? [] : [paths.autoBackupDirectory]),
      ...(await Promise.all(resolved)),
    ],
    onBackgroundError: context.onInternalError,
  });
  lifecycle.onClose(() => fileStore.close());
  return fileStore;
}

/**
 * Returns the roots of /local-files: those of the options. By default the backup roots, or, if clients
 * have to authenticate, none: undefined, so that they can create no files.
 */
async function fileRoots(
  { options, tokens }: HostContext,
  backupRoots: Roots,
): Promise<Roots | undefined> {
  if (options.fileRoots.length > 0)
    return resolveRoots(options.platform.files, options.fileRoots, "file root");
  const authenticated = tokens !== undefined || options.tls?.clientCa !== undefined;
  return authenticated ? undefined : backupRoots;
}

async function describe(
  { options, directory, hostId, startTimeMicros }: HostContext,
  { indexes }: Storage,
  { paths, records, health, signing }: Backups,
  addresses: Addresses,
): Promise<HostDescription> {
  const { files } = options.platform;
  return {
    id: hostId,
    version: productVersion,
    startTimeMicros,
    dataDirectory: directory.path,
    signingKey: signing.publicLine,
    signingKeyFingerprint: signing.fingerprint,
    trustsSignersOnly: signing.trust !== undefined,
    backupRoots: paths.rootNames,
    autoBackupDestination: paths.autoBackupUri,
    disk: {
      freeBytes: await files.freeBytes(directory.path),
      totalBytes: await files.totalBytes(directory.path),
    },
    httpAddress: textOf(addresses.http),
    grpcAddress: textOf(addresses.grpc),
    tls: options.tls !== undefined,
    indexes: await Promise.all([...indexes.values()].map(describeIndex)),
    backups: records.all(),
    backupHealth: await health.check(),
    backupMaxAgeMicros: (options.backupMaxAgeMs ?? 0) * 1000,
  };
}

async function describeIndex(index: DocumentIndex): Promise<HostDescription["indexes"][number]> {
  const problem = index.problem();
  return {
    ...(await index.state()),
    link: index.link,
    inMemory: index.inMemory,
    ...(problem !== undefined && { problem }),
  };
}

const textOf = ({ host, port }: Address) => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Whether a URI names the destination of automatic backups, or an object or a namespace inside it. */
const isAutoBackupSource = (source: string, destination: string) =>
  source === destination || source.startsWith(`${destination.replace(/\/$/, "")}/`);
