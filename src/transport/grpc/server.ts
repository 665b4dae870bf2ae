import type { DescFile } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { identifyBy, type Identify } from "../../security/clients.js";
import type { TlsIdentity } from "../../security/tls.js";
import { file_google_rpc_error_details } from "../../../gen/ts/google/rpc/error_details_pb.js";
import type { RequestObserver } from "../../service/requests.js";
import { checkInterceptors, type CallChecks } from "../call/interceptors.js";
import type { BoundService } from "../call/bound-service.js";
import type { HealthRegistry } from "../call/health.js";
import { createRequestShares, type RequestShares } from "../request-shares.js";
import type { OnInternalError } from "../status.js";
import type { CallOptions } from "./call-context.js";
import { serverCredentials } from "./credentials.js";
import { definitionOf } from "./definition.js";
import { createGuard } from "./guard.js";
import { handlerOf } from "./handlers.js";
import { reflectionServices } from "./reflection.js";

/** A gRPC server with health and reflection beside the services given. */
export interface GrpcServerOptions extends CallChecks {
  /** An address or a name; IPv6 without brackets. */
  host: string;
  /** 0: a free one. */
  port: number;
  services: readonly BoundService[];
  /** Told of each error that its caller is told nothing of. */
  onInternalError: OnInternalError;
  /** Absent: plain text. */
  tls?: TlsIdentity | undefined;
  /** How long a client may take nothing of a stream, in milliseconds. Absent: limits.streamIdleMs. */
  idleMs?: number;
  /** Whose each call is. Absent: that of its address. */
  identify?: Identify;
  /** What is shared with other ports. Absent: shares of its own. */
  shares?: RequestShares;
  /** Hears of each call when it is over. */
  observer?: RequestObserver;
  /** Served too; says that nothing serves any more when the server closes. */
  health: HealthRegistry;
  /** Files that reflection knows besides those of the services: messages that are only ever packed in an Any. */
  reflectionFiles?: readonly DescFile[];
}

export interface GrpcServer {
  readonly port: number;
  /** Takes no new call, waits up to the grace for those that run, then aborts them. Health says so at once. */
  close(graceMs: number): Promise<void>;
}

/** Resolves once it listens; rejects with CONFIGURATION_INVALID where it cannot. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { health } = options;
  const files = [file_google_rpc_error_details, ...(options.reflectionFiles ?? [])];
  const described = [...options.services, health.service];
  const services = [...described, ...reflectionServices(described, files)];
  const guard = createGuard({
    methods: new Map(services.flatMap(({ service }) => service.methods.map((method) => [`/${service.typeName}/${method.name}`, method]))),
    authorize: options.authorize,
    identify: options.identify ?? identifyBy(undefined),
    shares: options.shares ?? createRequestShares(),
    observer: options.observer,
    onKnownClient: () => undefined,
  });
  const server = new Server({
    "grpc.max_receive_message_length": limits.grpcMessageBytes,
    "grpc.max_send_message_length": limits.grpcMessageBytes,
    "grpc.max_concurrent_streams": limits.callsPerConnection,
    interceptors: [guard],
  });
  const callOptions: CallOptions = {
    // The guard authorizes, before a message is read.
    interceptors: checkInterceptors(options.validate ? { validate: options.validate } : {}),
    onInternalError: options.onInternalError,
    idleMs: options.idleMs ?? limits.streamIdleMs,
    running: new Set(),
    observer: options.observer,
  };
  for (const service of services) addService(server, service, callOptions);
  const port = await bind(server, options);
  let closing: Promise<void> | undefined;
  return { port, close: (graceMs) => (closing ??= close(server, health, callOptions.running, graceMs)) };
}

function addService(server: Server, { service, methods }: BoundService, options: CallOptions) {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, spec] of Object.entries(methods)) handlers[name] = handlerOf(spec, options);
  server.addService(definitionOf(service), handlers);
}

function bind(server: Server, { host, port, tls }: GrpcServerOptions): Promise<number> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, serverCredentials(tls), (error, bound) => {
      if (!error) return resolve(bound);
      server.forceShutdown();
      reject(new HostError("CONFIGURATION_INVALID", `gRPC cannot listen on ${address}: ${error.message}. Choose another port or address.`, { cause: error }));
    });
  });
}

async function close(server: Server, health: HealthRegistry, running: CallOptions["running"], graceMs: number): Promise<void> {
  health.close();
  let ended = false;
  const end = new Promise<void>((resolve) => server.tryShutdown(() => resolve())).then(() => void (ended = true));
  // A client that went without a word never closes its connection: where no call runs, it is not waited for.
  const stepMs = 50;
  let quietMs = 0;
  for (let waitedMs = 0; !ended && waitedMs < graceMs && quietMs < limits.quietConnectionMs; waitedMs += stepMs) {
    await Promise.race([end, sleep(stepMs)]);
    quietMs = running.size === 0 ? quietMs + stepMs : 0;
  }
  if (ended) return;
  for (const call of running) call.abort(new HostError("SHUTTING_DOWN", "The host is stopping; try again once it is back."));
  // The aborted calls get a moment to send their error before the connections go.
  if (running.size > 0) await Promise.race([end, sleep(Math.min(1000, graceMs))]);
  server.forceShutdown();
}
