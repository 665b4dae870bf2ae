import { HostError } from "../errors.js";
import { openTraceBuffer } from "../engine/sqlite/trace-buffer.js";
import type { DocumentReader } from "../engine/engine.js";
import type { AutoBackupStatus } from "../backup/schedule/status.js";
import { limits } from "../limits.js";
import { createMetrics, type Exposition } from "../metrics/metrics.js";
import type { EngineDescription, HostDescription } from "../service/host/description.js";
import type { ManagementService } from "../service/backups/management-service.js";
import type { StreamService } from "../service/backups/streams.js";
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
import { durableIndexLink, isOpenedLink } from "../service/documents/factories.js";
import type { DocumentIndex } from "../store/document-index.js";
import type { FileStore } from "../xenon/local-files/file-store.js";
import type { QueriedIndex } from "../xenon/query/query.js";
import { QueryTasks } from "../xenon/query/query-tasks.js";
import type { OperationService } from "../operation/operation.js";
import type { PolicyService } from "../service/policies/policy-service.js";
import type { Backups } from "./backups.js";
import type { HostContext } from "./context.js";
import { lateBound, Leadership } from "./leadership.js";
import { openLeaderServices } from "./leader-services.js";
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

/** The automatic backups as a host that does not lead knows them. */
const unknownAutoBackup: AutoBackupStatus = {
  enabled: false,
  destination: "",
  indexLink: durableIndexLink,
  state: "OFF",
  failuresInARow: 0,
  warnings: [],
};

/** Services that the protocols call. */
export interface HostServices {
  readonly documents: DocumentService;
  readonly management: ManagementService;
  readonly policies: PolicyService;
  readonly operations: OperationService;
  readonly streams: StreamService;
  readonly control: HostControl;
  readonly queries: QueryTasks;
  readonly fileStore: FileStore;
  readonly auditor: Auditor;
  readonly requests: Requests;
  readonly describeHost: () => Promise<HostDescription>;
  /** Returns the response of /metrics. */
  readonly exposition: () => Promise<Exposition>;
  readonly leadership: Leadership;
}

/** Second stage: the services, and what counts and records how they are used. */
export async function openServices(
  context: HostContext,
  storage: Storage,
  records: Records,
  addresses: Addresses,
): Promise<HostServices> {
  const { options, hostId, events, lifecycle, logger } = context;
  const { stats, audit } = records;
  const { platform } = options;
  const metrics = createMetrics({ nowMicros: platform.nowMicros, version: productVersion });
  lifecycle.onClose(() => metrics.close());
  events.on("operationEnded", (view) => {
    logOperation(logger, view);
    void audit.record(operationEntry(view));
    recordOperation(stats, view);
    metrics.noteOperation(view);
  });
  const describeHost = (backups = leadership?.services?.backups) =>
    describe(context, storage, backups, addresses);
  let leadership: Leadership | undefined = undefined;
  leadership = await Leadership.start(
    context,
    storage.storageEngine.shared?.membership,
    (inner, lease) =>
      openLeaderServices(inner, { ...storage, state: storage.stateOf(lease) }, stats, describeHost),
  );
  const leader = leadership;
  const openedIndexOf = (link: string) => leader.require().backups.opened.indexOf(link);
  const { documents, queries, trace } = openDocuments(context, storage, openedIndexOf);
  const requests = createRequests({
    counter: metrics.requests,
    log: (request) => logger.info(request, "request"),
    trace: (request) => trace.record(request),
  });
  const control = createHostControl({
    autoBackup: {
      status: () => leader.services?.backups.autoBackup.status() ?? unknownAutoBackup,
      configure: (enabled) => leader.require().backups.autoBackup.configure(enabled),
    },
    saveAutoBackup: (enabled) => leader.require().backups.saveAutoBackup(enabled),
    requests,
    nodeGroup: singleHostGroup(
      hostId,
      async () => (await storage.durableIndex.state()).positionMicros,
    ),
    stats,
    indexOf: (link) => (isOpenedLink(link) ? openedIndexOf(link) : storage.indexOf(link)),
    nowMicros: options.platform.nowMicros,
    describeHost: () => describeHost(),
    shutDown: () => void lifecycle.close().catch(context.onInternalError),
  });
  return {
    documents,
    management: lateBound(() => leader.require().management, { host: () => describeHost() }),
    policies: lateBound<PolicyService>(() => leader.require().policies),
    operations: lateBound<OperationService>(() => leader.require().backups.operations),
    streams: lateBound(() => leader.require().streams, { idleMs: options.streamIdleMs }),
    control,
    queries,
    fileStore: lateBound(() => leader.require().fileStore),
    auditor: createAuditor(audit, context.tokens),
    requests,
    describeHost: () => describeHost(),
    exposition: () =>
      metrics.read({
        // Metrics say that the database is away, and have none of what is in it.
        describeHost: () =>
          describe(context, storage, leader.services?.backups, addresses, () => []),
        stats,
        leader: leader.services,
      }),
    leadership,
  };
}

/** Opens documents, queries, and the buffer of traced requests. */
function openDocuments(
  { options, hostId, lifecycle, onInternalError }: HostContext,
  { indexOf }: Storage,
  openedIndexOf: (link: string) => QueriedIndex & DocumentReader,
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
  const tracesReader = { ...traces, lineage: () => operationIndexLink };
  const readerOf = (link: string) =>
    isTraces(link) ? tracesReader : isOpenedLink(link) ? openedIndexOf(link) : indexOf(link);
  const bodies = createBodyReader();
  lifecycle.onClose(() => bodies.close());
  const documents = new Documents({
    factories: [
      ...options.factories,
      { path: operationIndexLink, kind: operationKind, indexLink: operationIndexLink },
    ],
    indexOf: (link) => (isTraces(link) ? traces : indexOf(link)),
    readerOf,
    hostId,
    newId: platform.randomId,
    readBody: bodies.read,
    compareBodies: bodies.compare,
  });
  const queries = new QueryTasks({
    storeOf: readerOf,
    nowMicros: platform.nowMicros,
    newId: platform.randomId,
    onInternalError,
  });
  lifecycle.onClose(() => queries.close());
  return { documents, queries, trace };
}

/**
 * Describes a host; `backups` are those of the leader. `unreadable` replaces indexes that cannot be read; by default it
 * throws.
 */
async function describe(
  { options, directory, hostId, startTimeMicros }: HostContext,
  storage: Storage,
  backups: Backups | undefined,
  addresses: Addresses,
  unreadable: (error: unknown) => HostDescription["indexes"] = (error) => {
    // The description of the database says that it is away.
    if (HostError.from(error).reason === "DATABASE_UNAVAILABLE") return [];
    throw error;
  },
): Promise<HostDescription> {
  const { files } = options.platform;
  return {
    id: hostId,
    version: productVersion,
    startTimeMicros,
    dataDirectory: directory.path,
    signingKey: backups?.signing.publicLine ?? "",
    signingKeyFingerprint: backups?.signing.fingerprint ?? "",
    trustsSignersOnly: backups?.signing.trust !== undefined,
    backupRoots: backups?.paths.rootNames ?? options.backupRoots,
    autoBackupDestination: backups?.paths.autoBackupUri ?? "",
    disk: {
      freeBytes: await files.freeBytes(directory.path),
      totalBytes: await files.totalBytes(directory.path),
    },
    httpAddress: textOf(addresses.http),
    grpcAddress: textOf(addresses.grpc),
    tls: options.tls !== undefined,
    indexes: await Promise.all([...storage.indexes.values()].map(describeIndex)).catch(unreadable),
    factories: options.factories,
    opened: backups?.opened.list() ?? [],
    backups: backups ? withProofs(backups) : [],
    backupHealth: backups
      ? await backups.health.check().catch(healthUnknown)
      : { healthy: true, problem: "" },
    backupMaxAgeMicros: (options.backupMaxAgeMs ?? 0) * 1000,
    engine: await describeEngine(storage, backups !== undefined),
  };
}

/** What is known of the last backups, with the restore tests of each destination. */
function withProofs({ records, verifications }: Backups): HostDescription["backups"] {
  return records.all().map((record) => {
    const lastProvenRestore = verifications.lastProven(record.destination);
    return { ...record, ...(lastProvenRestore && { lastProvenRestore }) };
  });
}

/** The health of backups whose index cannot be read because its database is away. */
function healthUnknown(thrown: unknown): HostDescription["backupHealth"] {
  const { reason, message } = HostError.from(thrown);
  if (reason !== "DATABASE_UNAVAILABLE") throw thrown;
  return { healthy: false, problem: message };
}

async function describeEngine(
  { storageEngine: { shared } }: Storage,
  leads: boolean,
): Promise<EngineDescription> {
  if (!shared) return { name: "sqlite" };
  const { membership } = shared;
  const status = await shared.status().catch(() => undefined);
  return {
    name: "postgres",
    database: {
      name: shared.name,
      schema: shared.schema,
      ...(status && { status }),
      leads,
      term: membership.term() ?? 0,
      hosts: membership.members(),
    },
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

/** HOST:PORT. */
export const textOf = ({ host, port }: Address) =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
