import { join } from "node:path";
import { messageRegistry } from "../api/call/message-registry.js";
import type { BoundService } from "../api/call/bound-service.js";
import { createHealth, type HealthRegistry } from "../api/health.js";
import { hostServices } from "../api/host-services.js";
import { auditInterceptor } from "../api/policy/audit.js";
import { bearerTokenOf, type Authorize } from "../api/policy/authorization.js";
import { messageAccessInterceptor } from "../api/policy/method-indexes.js";
import { authorizeMethods } from "../api/policy/method-roles.js";
import { operationSharesInterceptor } from "../api/policy/operation-shares.js";
import { clientTls } from "../destination/network/tls.js";
import { ForwardedCalls } from "../forward/calls.js";
import { forwardHttp } from "../forward/http.js";
import type { Leader } from "../forward/leader.js";
import { openFilesLimit } from "../io/open-files.js";
import { limits } from "../limits.js";
import { createAccess, type Access } from "../security/access.js";
import { identifyBy } from "../security/clients.js";
import { createFailedLogins } from "../security/failed-logins.js";
import { hostNames } from "../security/hosts.js";
import { withoutSecrets } from "../security/secrets.js";
import type { TlsIdentity } from "../security/tls.js";
import { createClientShares } from "../service/host/client-shares.js";
import { watchClock } from "../service/host/clock-watch.js";
import type { Admission } from "../transport/admission.js";
import { createConnectHandler } from "../transport/connect/handler.js";
import { connectionLimits } from "../transport/connections.js";
import { startGrpcServer } from "../transport/grpc/server.js";
import { callerOf } from "../transport/http/caller.js";
import { createConsole } from "../transport/http/console.js";
import { createCors } from "../transport/http/cors.js";
import { createHealthCheck } from "../transport/http/health-check.js";
import { createMetricsHandler } from "../transport/http/metrics.js";
import { HttpServer } from "../transport/http/server.js";
import { createOpenApiHandler } from "../transport/openapi/handler.js";
import { requestNames, xenonPaths } from "../transport/request-names.js";
import { createRequestShares } from "../transport/request-shares.js";
import { createDocumentStreamRoutes, importPath } from "../transport/rest/document-streams.js";
import { createRestHandler } from "../transport/rest/handler.js";
import { createTransferRoutes, transferPrefix } from "../transport/rest/transfer-routes.js";
import { answererOf } from "../xenon/dialect/answerer.js";
import { createXenonDialect } from "../xenon/dialect/dialect.js";
import { sendError } from "../xenon/dialect/error-response.js";
import { localFilePrefix } from "../xenon/dialect/local-file-routes.js";
import type { HostContext } from "./context.js";
import { advertisedName } from "./options.js";
import { packageDirectory, productVersion } from "./product-version.js";
import type { Addresses, HostServices } from "./services.js";
import type { Storage } from "./storage.js";

/** The open ports. */
export interface Transports {
  /** Replaces the certificate for new handshakes on both ports. */
  replaceTls(tls: TlsIdentity): void;
}

/** Fourth stage: opens both ports, and writes what they listen on into `addresses`. */
export async function openTransports(
  context: HostContext,
  storage: Storage,
  services: HostServices,
  addresses: Addresses,
): Promise<Transports> {
  const { options, lifecycle } = context;
  const { auditor, operations, leadership } = services;
  const access = createAccess(context.tokens, (caller, action, error) =>
    auditor.refused(caller, { action }, error),
  );
  const leader = leaderOf(context, storage, services);
  const calls = new ForwardedCalls(leader, options.clientTls);
  lifecycle.onClose(() => calls.close());
  const bound = bindServices(context, services, access).map((service) => calls.bind(service));
  const health = await createHostHealth(context, storage, services, bound);
  const admission = await createAdmission(context);
  const shares = context.tokens === undefined ? undefined : createClientShares(operations);
  const policy = {
    authorize: authorizeMethods(access),
    share: shares && calls.unlessForwarded(operationSharesInterceptor(shares, admission.identify)),
    audit: auditInterceptor(auditor),
    indexes: access.withTokens
      ? calls.unlessForwarded(
          messageAccessInterceptor(access, { documents: services.documents, operations }),
        )
      : undefined,
    onInternalError: context.onInternalError,
  };
  const parts = { bound, health, admission, access, shares, policy, leader };
  const http = createHttpPort(context, storage, services, parts);
  addresses.http = await http.open();
  const grpc = await startGrpcServer({
    ...policy,
    host: options.grpcHost,
    port: options.grpcPort,
    services: bound,
    idleMs: options.streamIdleMs,
    health,
    observer: services.requests,
    admission,
    tls: options.tls,
  }).catch(async (error: unknown) => {
    await http.close(0);
    throw error;
  });
  addresses.grpc = { host: options.grpcHost, port: grpc.port };
  // Both ports drain concurrently, together with the operations that their callers wait for.
  lifecycle.onClose(async () => {
    const { shutdownMs } = limits;
    await Promise.all([
      http.close(shutdownMs),
      grpc.close(shutdownMs),
      leadership.services?.backups.operations.close(shutdownMs),
    ]);
  });
  return {
    replaceTls(tls) {
      http.replaceTls(tls);
      grpc.replaceTls(tls);
    },
  };
}

function leaderOf(
  { hostId, options }: HostContext,
  { storageEngine: { shared } }: Storage,
  { leadership }: HostServices,
): Leader {
  return {
    hostId,
    tls: options.tls !== undefined,
    leads: () => leadership.leads,
    leader: () => shared?.membership.leader(),
    members: () => shared?.membership.members() ?? [],
  };
}

function bindServices(
  { options }: HostContext,
  { documents, management, policies, operations, streams, control }: HostServices,
  access: Access,
): BoundService[] {
  const grantOf = (header: Headers) =>
    access.grantOf({
      via: "other",
      address: undefined,
      bearerToken: bearerTokenOf(header.get("authorization")),
    });
  const { nowMicros } = options.platform;
  return hostServices({
    grantOf,
    documents,
    management,
    policies,
    operations,
    streams,
    control,
    nowMicros,
  });
}

/** The health service: one name for each service, one for backups and one for the clock. */
async function createHostHealth(
  { options, events, lifecycle, logger, onInternalError }: HostContext,
  { indexes }: Storage,
  { describeHost }: HostServices,
  bound: readonly BoundService[],
): Promise<HealthRegistry> {
  const names = bound.map(({ service }) => service.typeName);
  const health = createHealth([...names, "backup", "clock"]);
  events.on("backupHealthChanged", ({ healthy }) => health.set("backup", healthy));
  health.set("backup", (await describeHost()).backupHealth.healthy);
  const stopWatching = await watchClock({
    indexes: [...indexes].map(([link, index]) => ({
      link,
      positionMicros: async () => (await index.state()).positionMicros,
    })),
    nowMicros: options.platform.nowMicros,
    onChange(problem) {
      health.set("clock", problem === undefined);
      if (problem !== undefined) logger.warn({ problem }, "the log is ahead of the clock");
    },
    onError: onInternalError,
  });
  lifecycle.onClose(stopWatching);
  return health;
}

/** Creates the admission control of both ports, which checks every request and connection first. */
async function createAdmission({ options, tokens, logger }: HostContext): Promise<Admission> {
  return {
    identify: identifyBy(tokens),
    shares: createRequestShares(),
    failedLogins: createFailedLogins(
      () => performance.now(),
      (address, count) => logger.warn({ address, count }, "requests with an unknown token"),
    ),
    connectionLimits: connectionLimits(await openFilesLimit(options.platform.files)),
    onShed: (count) =>
      logger.warn(
        { count },
        "connections without a known token were closed to make room for new ones: a port has reached its limit",
      ),
  };
}

interface HttpParts {
  bound: BoundService[];
  health: HealthRegistry;
  admission: Admission;
  access: Access;
  shares: ReturnType<typeof createClientShares> | undefined;
  leader: Leader;
  policy: Omit<Parameters<typeof createRestHandler>[0], "services" | "authorize"> & {
    authorize: Authorize;
  };
}

function createHttpPort(
  { options, hostId, startTimeMicros, onInternalError }: HostContext,
  { indexes }: Storage,
  services: HostServices,
  { bound, health, admission, access, shares, policy, leader }: HttpParts,
) {
  const { documents, management, operations, streams, control, queries, fileStore, auditor } =
    services;
  const { corsOrigins, streamIdleMs: idleMs } = options;
  const registry = messageRegistry(bound);
  const { authorize } = policy;
  const indexLinks = [...indexes.keys()];
  const isStream = (url: string) =>
    [transferPrefix, localFilePrefix, importPath].some((prefix) => url.startsWith(prefix));
  return new HttpServer({
    host: options.httpHost,
    port: options.httpPort,
    hostNames: hostNames(options.httpHost, [
      ...options.hostNames,
      // Other hosts forward requests under this name.
      ...(options.postgres ? [advertisedName(options, options.httpHost)] : []),
    ]),
    acceptsStreams: isStream,
    corsOrigins,
    admission,
    handlers: [
      ...(corsOrigins.length > 0 ? [createCors(corsOrigins)] : []),
      ...(options.postgres
        ? [
            forwardHttp({
              leader,
              tls: clientTls(options.clientTls),
              answeredBy: answererOf(indexLinks),
            }),
          ]
        : []),
      ...createXenonDialect({
        documents,
        management,
        operations,
        control,
        queries,
        fileStore,
        idleMs,
        indexLinks,
        hostId,
        startTimeMicros,
        shares,
        access,
        identify: admission.identify,
        auditor,
      }),
      ...(options.console
        ? [createConsole(options.platform.files, join(packageDirectory, "dist", "console"))]
        : []),
      createHealthCheck(health),
      createMetricsHandler({ exposition: services.exposition, access }),
      createConnectHandler({ ...policy, services: [...bound, health.service] }),
      createOpenApiHandler({ services: bound, access, version: productVersion }),
      createDocumentStreamRoutes({
        documents,
        idleMs,
        authorize,
        access,
        auditor,
        registry,
        onInternalError,
      }),
      createTransferRoutes({ streams, authorize, access, auditor, registry, onInternalError }),
      createRestHandler({ ...policy, services: bound }),
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
      requests: services.requests,
      nameOf: requestNames({
        services: [...bound, health.service],
        xenonPaths: [
          ...options.factories.map(({ path }) => path),
          ...indexLinks.flatMap((link) => [link, `${link}-backup`]),
          ...xenonPaths,
        ],
      }),
    },
    tls: options.tls,
  });
}
