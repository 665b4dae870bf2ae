import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AutoBackup } from "../backup/schedule/auto-backup.js";
import { operationJournal } from "../operation/journal.js";
import { openOperations } from "../operation/operations.js";
import { openWrittenManifests } from "../backup/written-manifests.js";
import { isWithin, resolveLinks, resolveRoots } from "../destination/file/roots.js";
import { sqliteEngine } from "../engine/sqlite/storage-engine.js";
import { HostError } from "../errors.js";
import { openFileStore } from "../xenon/local-files/file-store.js";
import { isHostId, resolveOptions, type HostOptions, type ResolvedOptions } from "./options.js";
import { openToOthers } from "../io/private-file.js";
import { lockDirectory } from "../io/directory-lock.js";
import { temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import { openFilesLimit } from "../io/open-files.js";
import { readSmallFile } from "../io/read-file.js";
import { limits } from "../limits.js";
import { createMetrics } from "../metrics/metrics.js";
import { productVersion } from "./product-version.js";
import { parseAllowedDestination } from "../destination/http/address-policy.js";
import { clientTls } from "../destination/http/tls.js";
import { checkExposure } from "../security/exposure.js";
import { hostNames, isLoopback } from "../security/hosts.js";
import { withoutSecrets } from "../security/secrets.js";
import { createAccess } from "../security/access.js";
import { identifyBy } from "../security/clients.js";
import { createFailedLogins } from "../security/failed-logins.js";
import { checkTls } from "../security/tls.js";
import { openTokens } from "../security/tokens.js";
import type { DocumentService } from "../service/documents/document-service.js";
import { checkAfterUncleanStop } from "../service/backups/check-index.js";
import { openBackupRecords } from "../service/backups/backup-records.js";
import { watchBackupHealth, type BackupHealthWatch } from "../service/host/backup-health.js";
import { watchClock } from "../service/host/clock-watch.js";
import { createBodyReader } from "../service/documents/body-reader.js";
import { createClientShares } from "../service/host/client-shares.js";
import { createDocumentService } from "../service/documents/documents.js";
import { durableIndexLink, inMemoryIndexLink } from "../service/documents/factories.js";
import type {
  HostDescription,
  ManagementService,
  OperationService,
} from "../service/backups/management-service.js";
import { createIndexStates, type IndexStates } from "../service/backups/index-states.js";
import { createManagementService } from "../service/backups/management.js";
import { filePlaces } from "../service/backups/file-places.js";
import { createHostControl, type HostControl } from "../service/host/host-control.js";
import { httpPlaces } from "../service/backups/http-places.js";
import {
  createOperationTrace,
  operationIndexLink,
  operationKind,
} from "../service/host/operation-trace.js";
import { singleHostGroup } from "../service/host/node-group.js";
import { placesByScheme } from "../service/backups/places.js";
import { createQueryTasks } from "../xenon/query/query-tasks.js";
import { openAuditLog } from "../service/host/audit-log.js";
import { createAuditor, operationEntry } from "../service/host/auditor.js";
import { logOperation } from "../service/host/log-operation.js";
import { recordOperation } from "../service/host/record-stats.js";
import { createRequests } from "../service/host/requests.js";
import { openStreamedManifests } from "../service/backups/streamed-manifests.js";
import { startAutoBackup } from "../service/backups/start-auto-backup.js";
import { createStats } from "../stats/stats.js";
import { createStreamService, type StreamService } from "../service/backups/streams.js";
import { openVerifications } from "../service/backups/verifications.js";
import { transferPlaces } from "../service/backups/transfer-places.js";
import { openDocumentIndex, type DocumentIndex } from "../store/document-index.js";
import { memoryParent, openMemoryDirectory } from "../store/memory-directory.js";
import { openTransfers } from "../destination/transfer/transfers.js";
import { createRequestShares } from "../transport/request-shares.js";
import type { Admission } from "../transport/admission.js";
import { connectionLimits } from "../transport/connections.js";
import { messageRegistry } from "../api/call/message-registry.js";
import type { IsLimited } from "../api/convert/operation.js";
import { auditInterceptor } from "../api/policy/audit.js";
import { callerOf } from "../transport/http/caller.js";
import { bearerTokenOf } from "../api/policy/authorization.js";
import { messageAccessInterceptor } from "../api/policy/method-indexes.js";
import { authorizeMethods } from "../api/policy/method-roles.js";
import { operationSharesInterceptor } from "../api/policy/operation-shares.js";
import { hostServices } from "../api/host-services.js";
import { createHealth, type HealthRegistry } from "../api/health.js";
import { createConnectHandler } from "../transport/connect/handler.js";
import { startGrpcServer } from "../transport/grpc/server.js";
import { createCors } from "../transport/http/cors.js";
import { requestNames, xenonPaths } from "../transport/request-names.js";
import { createMetricsHandler } from "../transport/http/metrics.js";
import { createHealthCheck } from "../transport/http/health-check.js";
import { createHttpServer } from "../transport/http/server.js";
import { createDocumentStreamRoutes, importPath } from "../transport/rest/document-streams.js";
import { createRestHandler } from "../transport/rest/handler.js";
import { createTransferRoutes, transferPrefix } from "../transport/rest/transfer-routes.js";
import { createOpenApiHandler } from "../transport/openapi/handler.js";
import { createXenonDialect } from "../xenon/dialect/dialect.js";
import { localFilePrefix } from "../xenon/dialect/local-file-routes.js";
import { sendError } from "../xenon/dialect/error-response.js";

/** A running host. The services may be called directly, in the same process, without the network. */
export interface Host {
  readonly id: string;
  readonly httpAddress: { host: string; port: number };
  readonly grpcAddress: { host: string; port: number };
  /** Whether both ports speak TLS. */
  readonly tls: boolean;
  readonly dataDirectory: string;
  readonly backupRoots: readonly string[];
  readonly documents: DocumentService;
  readonly management: ManagementService;
  readonly operations: OperationService;
  readonly streams: StreamService;
  readonly control: HostControl;
  /**
   * Takes a new token file's text and a new certificate without a restart: the next request and the next handshake go by them. A host that
   * was started without tokens or TLS stays so. CONFIGURATION_INVALID, and then nothing changes.
   */
  reload(secrets: Pick<HostOptions, "tokens" | "tls">): void;
  /** Resolves when the host is closed, by whomever: a client may ask for it too. */
  readonly closed: Promise<void>;
  /** Finishes requests in flight, waits for a copy under way (limits.shutdownMs at most), and closes. */
  close(): Promise<void>;
}

/** Things to undo when a start fails half-way, and to do when the host closes: the last one first. */
type Closers = (() => Promise<void> | void)[];

/** Starts a host; it serves when the promise resolves. Rejects with HostError, and then leaves nothing running. */
export async function createHost(hostOptions: HostOptions): Promise<Host> {
  const options = resolveOptions(hostOptions);
  checkExposure({
    httpHost: options.httpHost,
    grpcHost: options.grpcHost,
    authenticated: options.tokens !== undefined || options.tls?.clientCa !== undefined,
    backupRoots: options.backupRoots,
  });
  const closers: Closers = [];
  const closeAll = async () => {
    const failures: unknown[] = [];
    for (const close of closers.splice(0).reverse()) {
      // One that fails must not keep the rest open.
      await Promise.resolve()
        .then(close)
        .catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    return await start(options, closers, closeAll);
  } catch (error) {
    await closeAll().catch(() => {});
    throw error;
  }
}

async function start(
  options: ResolvedOptions,
  closers: Closers,
  closeAll: () => Promise<void>,
): Promise<Host> {
  const { platform, logger } = options;
  const { files } = platform;
  const dataDirectory = resolve(options.dataDirectory);
  if ((await files.status(dataDirectory)) === undefined)
    await makeDirectory(options, dataDirectory);
  const auditDirectory = join(dataDirectory, "audit");
  const certificates = new Set(options.certificateFiles);
  for (const wide of await openToOthers(files, [
    dataDirectory,
    auditDirectory,
    join(auditDirectory, "audit.log"),
    join(auditDirectory, "refused.log"),
    ...options.secretFiles.filter((path) => !certificates.has(path)),
    ...options.backupRoots,
  ])) {
    logger.warn(
      wide,
      "other users may use this file or directory; restrict it, for example with chmod go=",
    );
  }
  const lock = lockDirectory(join(dataDirectory, "lock.sqlite"));
  closers.push(() => lock.release());
  const hostId = await findHostId(options, dataDirectory);
  const tokens = options.tokens === undefined ? undefined : openTokens(options.tokens);
  const roots = await resolveRoots(files, options.backupRoots);
  const temporaryDirectory = join(dataDirectory, "temporary");
  await files.removeTree(temporaryDirectory);
  await files.makeDirectory(temporaryDirectory);
  // Small files that a kill left half written.
  for (const name of await files.list(dataDirectory))
    if (name.startsWith(temporaryPrefix)) await files.remove(join(dataDirectory, name));
  const onInternalError = (thrown: unknown) => logger.error({ err: thrown }, "internal error");

  // What is made later and asked for by what is made before it.
  const late: {
    autoBackup?: AutoBackup;
    health?: HealthRegistry;
    backupHealth?: BackupHealthWatch;
    states?: IndexStates;
  } = {};
  const indexes = await openIndexes(options, dataDirectory, hostId, closers, {
    onBackgroundError: onInternalError,
    onCommit: () => late.autoBackup?.changed(),
  });
  for (const link of tokens?.indexes() ?? []) {
    if (!indexes.has(link) && link !== operationIndexLink)
      logger.warn({ index: link }, "a token is for an index that this host does not have");
  }
  await keepHostId(options, dataDirectory, hostId);
  const indexOf = (link: string): DocumentIndex => {
    const index = indexes.get(link);
    if (!index)
      throw new HostError("INDEX_NOT_FOUND", `Service not found: ${link}`, { metadata: { link } });
    return index;
  };
  closers.push(startSweeping([...indexes.values()], onInternalError));

  const stats = createStats(platform.nowMicros);
  const metrics = createMetrics({ nowMicros: platform.nowMicros, version: productVersion });
  closers.push(() => metrics.close());
  const backups = await openBackupRecords({
    platform,
    path: join(dataDirectory, "backup-records.json"),
    warn: (fields, message) => logger.warn(fields, message),
  });
  closers.push(() => backups.close());
  // Behind the operations, which read by them.
  closers.push(() => late.states?.close());
  const audit = await openAuditLog({
    platform,
    directory: auditDirectory,
    onLost: (error, count) =>
      logger.error({ err: error, count }, "lines of the audit log could not be written"),
  });
  // Behind all that writes to it.
  closers.push(() => audit.close());
  const operations = await openOperations({
    platform,
    journal: operationJournal(platform, join(dataDirectory, "operations"), (path) =>
      logger.warn(
        { path },
        "an operation's file is damaged; it is left out of the operations list. Remove the file to silence this warning",
      ),
    ),
    onSettled: (view) => {
      logOperation(logger, view);
      void audit.record(operationEntry(view));
      recordOperation(stats, view);
      backups.noteOperation(view);
      metrics.noteOperation(view);
      late.backupHealth?.changed();
    },
    onJournalError: (error) =>
      logger.warn(
        { err: error },
        "an operation could not be written down; it is forgotten when the host stops",
      ),
  });
  closers.push(() => operations.close(limits.shutdownMs));
  const ring = sqliteEngine.openTraceBuffer({
    link: operationIndexLink,
    maxDocuments: limits.tracedOperations,
    maxAgeMicros: limits.tracedAgeMicros,
    nowMicros: platform.nowMicros,
  });
  closers.push(() => ring.close());
  const trace = createOperationTrace({ ring, hostId, onError: onInternalError });
  const bodies = createBodyReader();
  closers.push(() => bodies.close());
  const documents = createDocumentService({
    factories: [
      ...options.factories,
      { path: operationIndexLink, kind: operationKind, indexLink: operationIndexLink },
    ],
    indexOf: (link) => (link === operationIndexLink ? ring : indexOf(link)),
    lineageOf: (link) => (link === operationIndexLink ? link : indexOf(link).lineage()),
    hostId,
    newId: platform.randomId,
    readBody: bodies.read,
  });
  const queries = createQueryTasks({
    storeOf: (link) =>
      link === operationIndexLink ? { ...ring, lineage: () => link } : indexOf(link),
    nowMicros: platform.nowMicros,
    newId: platform.randomId,
    onInternalError,
  });
  closers.push(() => queries.close());
  const startTimeMicros = platform.nowMicros();
  const autoBackupDirectory = resolve(
    options.autoBackupDirectory ?? join(dataDirectory, "auto-backup"),
  );
  const backupMaxAgeMicros = (options.backupMaxAgeMs ?? 0) * 1000;
  const durableIndex = indexOf(durableIndexLink);
  const backupHealth = watchBackupHealth({
    facts: () => ({
      nowMicros: platform.nowMicros(),
      startMicros: startTimeMicros,
      maxAgeMicros: backupMaxAgeMicros,
      indexLink: durableIndexLink,
      records: backups.all(),
    }),
    hasDocuments: async () => (await durableIndex.state()).versions > 0,
    autoBackupCurrent: () => late.autoBackup?.status().state === "CURRENT",
    onChange({ healthy, problem }) {
      late.health?.set("backup", healthy);
      if (healthy) logger.info({}, "backups are as they should be again");
      else logger.warn({ problem }, "backups are not as they should be");
    },
    onBackgroundError: onInternalError,
  });
  late.backupHealth = backupHealth;
  closers.push(() => backupHealth.close());
  let httpAddress = { host: options.httpHost, port: options.httpPort };
  let grpcAddress = { host: options.grpcHost, port: options.grpcPort };
  const show = ({ host, port }: typeof httpAddress) =>
    `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const describeHost = async (): Promise<HostDescription> => ({
    id: hostId,
    version: productVersion,
    startTimeMicros,
    dataDirectory,
    backupRoots: roots.paths,
    autoBackupDirectory,
    disk: {
      freeBytes: await files.freeBytes(dataDirectory),
      totalBytes: await files.totalBytes(dataDirectory),
    },
    httpAddress: show(httpAddress),
    grpcAddress: show(grpcAddress),
    tls: options.tls !== undefined,
    indexes: await Promise.all([...indexes.values()].map(describeIndex)),
    backups: backups.all(),
    backupHealth: await backupHealth.check(),
    backupMaxAgeMicros,
  });
  const realDataDirectory = await files.realPath(dataDirectory);
  const realAutoBackupDirectory = await resolveLinks(files, autoBackupDirectory);
  if (
    isWithin(realAutoBackupDirectory, realDataDirectory) &&
    realAutoBackupDirectory !== join(realDataDirectory, "auto-backup")
  ) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The directory for automatic backups, ${autoBackupDirectory}, lies in the data directory, where the host removes what is not its own: name one outside, or none for auto-backup in it.`,
    );
  }
  const fileUris = filePlaces({
    platform,
    roots,
    dataDirectory: realDataDirectory,
    autoBackupDirectory: realAutoBackupDirectory,
  });
  // Who has to show a token or a certificate may not make files wherever the host's user may, nor beside its backups, unless somebody said so.
  const authenticated = tokens !== undefined || options.tls?.clientCa !== undefined;
  const fileRoots =
    options.fileRoots.length > 0
      ? await resolveRoots(files, options.fileRoots, "file root")
      : authenticated
        ? undefined
        : roots;
  const fileStore = await openFileStore(platform, {
    directory: join(dataDirectory, "file-services"),
    roots: fileRoots,
    closed: [
      realDataDirectory,
      realAutoBackupDirectory,
      ...(await Promise.all(options.secretFiles.map((path) => resolveLinks(files, resolve(path))))),
    ],
    onBackgroundError: onInternalError,
  });
  closers.push(() => fileStore.close());
  const transfers = await openTransfers(
    platform,
    join(dataDirectory, "transfers"),
    options.transfers,
    onInternalError,
  );
  closers.push(() => transfers.close());
  const streamedManifests = await openStreamedManifests(
    platform,
    join(dataDirectory, "sent-manifests"),
  );
  const httpUris = httpPlaces({
    platform,
    policy: {
      allowPrivate: isLoopback(options.httpHost) && isLoopback(options.grpcHost),
      allowed: options.allowDestinations.map(parseAllowedDestination),
    },
    tls: clientTls(options.clientTls),
    temporaryDirectory,
  });
  const verifications = await openVerifications(
    platform,
    join(dataDirectory, "verifications.json"),
    (error) =>
      logger.warn(
        { err: error },
        "what was remembered of checks of backups cannot be read; it is begun anew",
      ),
  );
  const written = await openWrittenManifests(
    platform,
    join(dataDirectory, "written-manifests.json"),
    (error) =>
      logger.warn(
        { err: error },
        "the record of written backups cannot be read: the next backup to each destination is a new base",
      ),
  );
  const reading = {
    platform,
    storageEngine: sqliteEngine,
    indexOf,
    ownIndexIds: () => [...indexes.values()].map((index) => index.indexId()),
    placesOf: placesByScheme({
      file: fileUris,
      http: httpUris,
      https: httpUris,
      transfer: transferPlaces(platform, transfers, streamedManifests),
    }),
    temporaryDirectory,
  };
  const states = createIndexStates(reading);
  late.states = states;
  const management = createManagementService({
    ...reading,
    operations,
    files: fileUris,
    states,
    verifications,
    written,
    hostId,
    productVersion,
    describeHost,
    pauseAutoBackup: async () => (await late.autoBackup?.pause()) ?? (() => {}),
  });

  await checkAfterUncleanStop(
    durableIndex,
    (link) => management.checkIndex(link),
    (fields, message) => logger.warn(fields, message),
  );

  const requests = createRequests({
    counter: metrics.requests,
    log: (request) => logger.info(request, "request"),
    trace: (request) => trace.record(request),
  });
  const streams = createStreamService({
    files,
    transfers,
    management,
    operations,
    idleMs: options.streamIdleMs,
  });
  const started = await startAutoBackup({
    platform,
    isDamaged: (manifestSha256) =>
      verifications.isDamaged({ uri: pathToFileURL(realAutoBackupDirectory).href, manifestSha256 }),
    written,
    index: durableIndex,
    directory: autoBackupDirectory,
    hostId,
    productVersion,
    settingPath: join(dataDirectory, "auto-backup.json"),
    stats,
    warn: (fields, message) => logger.warn(fields, message),
    onRun: (run) =>
      backups.noteAutoBackup(run, {
        indexLink: durableIndexLink,
        destination: pathToFileURL(realAutoBackupDirectory).href,
      }),
    onHealth: (problem) => backupHealth.autoBackup(problem),
    onBackgroundError: onInternalError,
  });
  late.autoBackup = started.autoBackup;
  closers.push(() => started.autoBackup.close());
  const control = createHostControl({
    autoBackup: started.autoBackup,
    saveAutoBackup: started.save,
    requests,
    nodeGroup: singleHostGroup(hostId, async () => (await durableIndex.state()).positionMicros),
    stats,
    describeHost,
    shutDown: () => void host.close().catch(onInternalError),
  });
  const auditor = createAuditor(audit, tokens);
  const access = createAccess(tokens, (caller, action, error) =>
    auditor.refused(caller, { action }, error),
  );
  const isLimited: IsLimited = (header) =>
    access.indexesOf({
      via: "other",
      address: undefined,
      bearerToken: bearerTokenOf(header.get("authorization")),
    }) !== undefined;
  const services = hostServices({
    isLimited,
    documents,
    management,
    operations,
    streams,
    control,
    nowMicros: platform.nowMicros,
  });
  const health = createHealth([
    ...services.map(({ service }) => service.typeName),
    "backup",
    "clock",
  ]);
  late.health = health;
  health.set("backup", (await backupHealth.check()).healthy);
  closers.push(
    await watchClock({
      indexes: [...indexes].map(([link, index]) => ({
        link,
        positionMicros: async () => (await index.state()).positionMicros,
      })),
      nowMicros: platform.nowMicros,
      onChange(problem) {
        health.set("clock", problem === undefined);
        if (problem !== undefined) logger.warn({ problem }, "the log is ahead of the clock");
      },
      onError: onInternalError,
    }),
  );
  const registry = messageRegistry(services);
  const authorize = authorizeMethods(access);
  const auditCalls = auditInterceptor(auditor);
  const ownIndexes = access.withTokens
    ? messageAccessInterceptor(access, { documents, operations })
    : undefined;
  // Without tokens nobody can be told from anybody.
  const identify = identifyBy(tokens);
  const clientShares = tokens === undefined ? undefined : createClientShares(operations);
  const share = clientShares && operationSharesInterceptor(clientShares, identify);
  const admission: Admission = {
    identify,
    shares: createRequestShares(),
    failedLogins: createFailedLogins(
      () => performance.now(),
      (address, count) => logger.warn({ address, count }, "requests with an unknown token"),
    ),
    connectionLimits: connectionLimits(await openFilesLimit(platform.files)),
    onShed: (count) =>
      logger.warn(
        { count },
        "connections without a known token were closed for new ones: a port has as many as it may",
      ),
  };
  const http = createHttpServer({
    host: options.httpHost,
    port: options.httpPort,
    hostNames: hostNames(options.httpHost, options.hostNames),
    acceptsStreams: (url) =>
      url.startsWith(transferPrefix) ||
      url.startsWith(localFilePrefix) ||
      url.startsWith(importPath),
    corsOrigins: options.corsOrigins,
    admission,
    handlers: [
      createXenonDialect({
        documents,
        management,
        operations,
        control,
        queries,
        fileStore,
        idleMs: options.streamIdleMs,
        indexLinks: [...indexes.keys()],
        hostId,
        startTimeMicros,
        shares: clientShares,
        access,
        identify,
        auditor,
      }),
      ...(options.corsOrigins.length > 0 ? [createCors(options.corsOrigins)] : []),
      createHealthCheck(health),
      createMetricsHandler({
        exposition: () =>
          metrics.read({
            describeHost,
            operations,
            streams,
            stats,
            autoBackup: () => started.autoBackup.status(),
          }),
        access,
      }),
      createConnectHandler({
        services: [...services, health.service],
        authorize,
        share,
        audit: auditCalls,
        indexes: ownIndexes,
        onInternalError,
      }),
      createOpenApiHandler({ services, access, version: productVersion }),
      createDocumentStreamRoutes({
        documents,
        idleMs: options.streamIdleMs,
        authorize,
        access,
        auditor,
        registry,
        onInternalError,
      }),
      createTransferRoutes({ streams, authorize, access, auditor, registry, onInternalError }),
      createRestHandler({
        services,
        authorize,
        share,
        audit: auditCalls,
        indexes: ownIndexes,
        onInternalError,
      }),
    ],
    sendError,
    onInternalError,
    onRefused: (request, error) =>
      auditor.refused(
        callerOf(request, "other"),
        { action: `${request.method} ${withoutSecrets(request.url ?? "")}` },
        error,
      ),
    observer: {
      requests,
      nameOf: requestNames({
        services: [...services, health.service],
        xenonPaths: [
          ...options.factories.map(({ path }) => path),
          ...[...indexes.keys()].flatMap((link) => [link, `${link}-backup`]),
          ...xenonPaths,
        ],
      }),
    },
    tls: options.tls,
  });
  httpAddress = await http.open();
  const grpc = await startGrpcServer({
    host: options.grpcHost,
    port: options.grpcPort,
    services,
    authorize,
    share,
    audit: auditCalls,
    indexes: ownIndexes,
    onInternalError,
    idleMs: options.streamIdleMs,
    health,
    observer: requests,
    admission,
    tls: options.tls,
  }).catch(async (error: unknown) => {
    await http.close(0);
    throw error;
  });
  grpcAddress = { host: options.grpcHost, port: grpc.port };
  // The two ports drain side by side, and the operations that their callers wait for with them.
  closers.push(async () => {
    await Promise.all([
      http.close(limits.shutdownMs),
      grpc.close(limits.shutdownMs),
      operations.close(limits.shutdownMs),
    ]);
  });
  let closing: Promise<void> | undefined;
  let tellClosed = () => {};
  const closed = new Promise<void>((resolve) => (tellClosed = resolve));
  const host: Host = {
    id: hostId,
    httpAddress,
    grpcAddress,
    tls: options.tls !== undefined,
    dataDirectory,
    backupRoots: roots.paths,
    documents,
    management,
    operations,
    streams,
    control,
    reload({ tokens: text, tls }) {
      const problems: unknown[] = [];
      const each = (take: () => void) => {
        try {
          take();
        } catch (error) {
          problems.push(error);
        }
      };
      each(() => {
        if (text !== undefined) tokens?.replace(text);
      });
      each(() => {
        if (tls === undefined || options.tls === undefined) return;
        checkTls(tls);
        http.replaceTls(tls);
        grpc.replaceTls(tls);
      });
      if (problems.length > 0) throw problems[0];
    },
    closed,
    close: () => (closing ??= closeAll().finally(tellClosed)),
  };
  return host;
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

async function makeDirectory({ platform }: ResolvedOptions, path: string): Promise<void> {
  try {
    await platform.files.makeDirectory(path);
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The data directory ${path} cannot be made; make it, or check its parent and permissions.`,
      { cause },
    );
  }
}

const hostIdName = "host-id";

/** The id that was given, or the one that the directory keeps, or a new one. A directory that keeps one has an index. */
async function findHostId(
  { platform, id }: ResolvedOptions,
  dataDirectory: string,
): Promise<string> {
  const { files } = platform;
  const path = join(dataDirectory, hostIdName);
  if ((await files.status(path)) === undefined) return id ?? platform.randomId();
  if ((await files.status(join(dataDirectory, indexDirectoryName))) === undefined) {
    throw new HostError(
      "INDEX_DAMAGED",
      `${dataDirectory} has lost its index, ${indexDirectoryName}. Put it back; or, to begin anew with none, remove ${hostIdName} too.`,
    );
  }
  if (id !== undefined) return id;
  const kept = (await readSmallFile(files, path, 256)).toString("utf8").trim();
  if (isHostId(kept)) return kept;
  throw new HostError(
    "CONFIGURATION_INVALID",
    `The file ${path} holds no id: write this host's id into it, as the documentOwner of its documents says, or give it with --id.`,
  );
}

/** Written when the index is there: from then on a directory without one has lost it. */
async function keepHostId(
  { platform }: ResolvedOptions,
  dataDirectory: string,
  hostId: string,
): Promise<void> {
  const path = join(dataDirectory, hostIdName);
  if ((await platform.files.status(path)) === undefined)
    await writeFileDurably(platform, path, Buffer.from(`${hostId}\n`));
}

const indexDirectoryName = "document-index";

async function openIndexes(
  options: ResolvedOptions,
  dataDirectory: string,
  hostId: string,
  closers: Closers,
  hooks: { onBackgroundError: (error: unknown) => void; onCommit: () => void },
): Promise<Map<string, DocumentIndex>> {
  const { platform } = options;
  const engine = {
    nowMicros: platform.nowMicros,
    retainedVersions: options.retainedVersions,
    historyMicros: options.historyMs * 1000,
  };
  const open = async (link: string, inMemory: boolean, directory: string) => {
    const index = await openDocumentIndex(platform, sqliteEngine, {
      link,
      inMemory,
      directory,
      ...(inMemory && { indexId: `${hostId}${link}` }),
      engine: { ...engine, durable: !inMemory },
      onBackgroundError: hooks.onBackgroundError,
      ...(!inMemory && { onCommit: hooks.onCommit }),
    });
    closers.push(() => index.close());
    return index;
  };
  const memory = await openMemoryDirectory(platform.files, await memoryParent(platform.files));
  closers.push(() => memory.remove());
  // Side by side, as each starts threads; where one fails, the others are open, and so will be closed, before that is told.
  const opened = await Promise.allSettled([
    open(durableIndexLink, false, join(dataDirectory, indexDirectoryName)),
    ...[inMemoryIndexLink, ...options.memoryIndexes].map((link, i) =>
      open(link, true, join(memory.path, `index-${i}`)),
    ),
  ]);
  return new Map(
    opened.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return [each.value.link, each.value];
    }),
  );
}

/** Expiry and pruning, in bounded steps, as long as the host runs. */
function startSweeping(
  indexes: DocumentIndex[],
  onError: (error: unknown) => void,
): () => Promise<void> {
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(async () => {
        for (const index of indexes) if (!stopped) await index.sweep();
      })
      .catch(onError);
  }, limits.sweepIntervalMs);
  return async () => {
    stopped = true;
    clearInterval(timer);
    await running;
  };
}
