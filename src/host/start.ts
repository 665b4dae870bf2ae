import { checkExposure } from "../security/exposure.js";
import { checkTls } from "../security/tls.js";
import { openTokens } from "../security/tokens.js";
import type { ManagementService } from "../service/backups/management-service.js";
import type { OperationService } from "../operation/operation.js";
import type { PolicyService } from "../service/policies/policy-service.js";
import type { StreamService } from "../service/backups/streams.js";
import type { DocumentService } from "../service/documents/document-service.js";
import type { HostControl } from "../service/host/host-control.js";
import { operationIndexLink } from "../service/host/operation-trace.js";
import type { HostContext } from "./context.js";
import {
  DataDirectory,
  findHostId,
  keepHostId,
  lockDataDirectory,
  makeDataDirectory,
  warnOfWideAccess,
} from "./data-directory.js";
import { createHostEvents } from "./events.js";
import { Lifecycle } from "./lifecycle.js";
import {
  advertisedName,
  resolveOptions,
  type HostOptions,
  type ResolvedOptions,
} from "./options.js";
import { openRecords, openServices, textOf, type Address, type Addresses } from "./services.js";
import { openStorage, type Storage } from "./storage.js";
import { openTransports } from "./transports.js";

/** A running host. Its services may be called directly, in the same process, without the network. */
export interface Host {
  readonly id: string;
  readonly httpAddress: Address;
  readonly grpcAddress: Address;
  /** Whether both ports speak TLS. */
  readonly tls: boolean;
  readonly dataDirectory: string;
  readonly backupRoots: readonly string[];
  readonly documents: DocumentService;
  readonly management: ManagementService;
  readonly policies: PolicyService;
  readonly operations: OperationService;
  readonly streams: StreamService;
  readonly control: HostControl;
  /**
   * Applies the text of a new token file and a new certificate without a restart: they are used
   * from the next request and the next handshake on. A host that was started without tokens or TLS
   * stays without. Applies what is valid, and throws the first CONFIGURATION_INVALID.
   */
  reload(secrets: Pick<HostOptions, "tokens" | "tls">): void;
  /** Resolves when the host is closed, which clients may request too. */
  readonly closed: Promise<void>;
  /** Finishes requests in flight, waits for operations (limits.shutdownMs at most), and closes. */
  close(): Promise<void>;
}

/** Starts a host, which serves when the promise resolves. Rejects with a HostError, and then leaves nothing running. */
export async function createHost(hostOptions: HostOptions): Promise<Host> {
  const options = resolveOptions(hostOptions);
  checkExposure({
    httpHost: options.httpHost,
    grpcHost: options.grpcHost,
    authenticated: options.tokens !== undefined || options.tls?.clientCa !== undefined,
    backupRoots: options.backupRoots,
  });
  const lifecycle = new Lifecycle();
  try {
    return await start(await openContext(options, lifecycle));
  } catch (error) {
    await lifecycle.close().catch(() => {});
    throw error;
  }
}

async function openContext(options: ResolvedOptions, lifecycle: Lifecycle): Promise<HostContext> {
  const { platform, logger } = options;
  const directory = new DataDirectory(options.dataDirectory);
  await makeDataDirectory(platform, directory);
  await warnOfWideAccess(options, directory);
  lifecycle.onClose(await lockDataDirectory(platform, directory));
  return {
    options,
    directory,
    hostId: await findHostId(options, directory),
    startTimeMicros: platform.nowMicros(),
    tokens: options.tokens === undefined ? undefined : openTokens(options.tokens),
    events: createHostEvents(),
    lifecycle,
    logger,
    onInternalError: (error) => logger.error({ err: error }, "internal error"),
  };
}

async function start(context: HostContext): Promise<Host> {
  const { options, directory, hostId, lifecycle } = context;
  const { platform } = options;
  const storage = await openStorage(context);
  warnOfUnknownIndexes(context, storage);
  await keepHostId(platform, directory, hostId);
  const records = await openRecords(context);
  const addresses: Addresses = {
    http: { host: options.httpHost, port: options.httpPort },
    grpc: { host: options.grpcHost, port: options.grpcPort },
  };
  const services = await openServices(context, storage, records, addresses);
  const transports = await openTransports(context, storage, services, addresses);
  const { documents, management, policies, operations, streams, control } = services;
  await announce(context, storage, addresses);
  // First of all: otherwise policies start operations while those drain.
  lifecycle.onClose(() => services.leadership.services?.policies.close());
  return {
    id: hostId,
    httpAddress: addresses.http,
    grpcAddress: addresses.grpc,
    tls: options.tls !== undefined,
    dataDirectory: directory.path,
    backupRoots: (await services.describeHost()).backupRoots,
    documents,
    management,
    policies,
    operations,
    streams,
    control,
    reload: ({ tokens, tls }) =>
      applyEach(
        () => {
          if (tokens !== undefined) context.tokens?.replace(tokens);
        },
        () => {
          if (tls === undefined || options.tls === undefined) return;
          checkTls(tls);
          transports.replaceTls(tls);
        },
      ),
    closed: lifecycle.closed,
    close: () => lifecycle.close(),
  };
}

/** Tells the hosts that share the database how to reach this one. */
async function announce(
  { options }: HostContext,
  { storageEngine }: Storage,
  { http, grpc }: Addresses,
): Promise<void> {
  const reachable = ({ host, port }: Address) =>
    textOf({ host: advertisedName(options, host), port });
  await storageEngine.shared?.membership.announce({
    http: reachable(http),
    grpc: reachable(grpc),
    tls: options.tls !== undefined,
  });
}

function warnOfUnknownIndexes({ tokens, logger }: HostContext, { indexes }: Storage): void {
  for (const link of tokens?.indexes() ?? []) {
    if (!indexes.has(link) && link !== operationIndexLink)
      logger.warn({ index: link }, "a token is for an index that this host does not have");
  }
}

/** Applies every change that is valid, then throws the first problem. */
function applyEach(...changes: (() => void)[]): void {
  const problems: unknown[] = [];
  for (const change of changes) {
    try {
      change();
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
}
