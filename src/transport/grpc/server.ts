import type { DescFile } from "@bufbuild/protobuf";
import {
  createServer as createListener,
  type AddressInfo,
  type Server as Listener,
} from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { TlsIdentity } from "../../security/tls.js";
import { file_google_rpc_error_details } from "../../../gen/ts/google/rpc/error_details_pb.js";
import type { RequestObserver } from "../../service/host/requests.js";
import { connectionsOf, openAdmission, type Admission } from "../admission.js";
import { checkInterceptors, type CallChecks } from "../../api/policy/interceptors.js";
import type { BoundService } from "../../api/call/bound-service.js";
import type { HealthRegistry } from "../../api/health.js";
import type { Connections } from "../connections.js";
import type { OnInternalError } from "../../api/status.js";
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
  /** What is shared with other ports. Absent: a port of its own. */
  admission?: Admission;
  /** Hears of each call when it is over. */
  observer?: RequestObserver;
  /** Served too; says that nothing serves any more when the server closes. */
  health: HealthRegistry;
  /** Files that reflection knows besides those of the services: messages that are only ever packed in an Any. */
  reflectionFiles?: readonly DescFile[];
}

export interface GrpcServer {
  readonly port: number;
  /** The next handshake shows and asks for these. Nothing without TLS. */
  replaceTls(tls: TlsIdentity): void;
  /** Takes no new call, waits up to the grace for those that run, then aborts them. Health says so at once. */
  close(graceMs: number): Promise<void>;
}

/** Resolves once it listens; rejects with CONFIGURATION_INVALID where it cannot. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { health } = options;
  const files = [file_google_rpc_error_details, ...(options.reflectionFiles ?? [])];
  const described = [...options.services, health.service];
  const services = [...described, ...reflectionServices(described, files)];
  const admission = options.admission ?? openAdmission();
  const connections = connectionsOf(admission);
  const guard = createGuard({
    methods: new Map(
      services.flatMap(({ service }) =>
        service.methods.map((method) => [`/${service.typeName}/${method.name}`, method]),
      ),
    ),
    authorize: options.authorize,
    admission,
    connections,
    observer: options.observer,
  });
  const server = new Server({
    "grpc.max_receive_message_length": limits.grpcMessageBytes,
    "grpc.max_send_message_length": limits.grpcMessageBytes,
    "grpc.max_concurrent_streams": limits.callsPerConnection,
    "grpc.max_connection_idle_ms": limits.idleConnectionMs,
    "grpc.keepalive_time_ms": limits.grpcPingMs,
    "grpc.keepalive_timeout_ms": limits.grpcPingTimeoutMs,
    interceptors: [guard],
  });
  const callOptions: CallOptions = {
    // The guard authorizes, before a message is read.
    interceptors: checkInterceptors({
      share: options.share,
      audit: options.audit,
      indexes: options.indexes,
      ...(options.validate && { validate: options.validate }),
    }),
    onInternalError: options.onInternalError,
    idleMs: options.idleMs ?? limits.streamIdleMs,
    running: new Set(),
    observer: options.observer,
  };
  for (const service of services) addService(server, service, callOptions);
  const { credentials, replace } = serverCredentials(options.tls);
  const listener = await listen(server, connections, credentials, options);
  const { port } = listener.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const stop = async (graceMs: number) => {
    listener.close();
    await close(server, health, callOptions.running, graceMs);
    for (const socket of connections.sockets()) socket.destroy();
    connections.stop();
  };
  return { port, replaceTls: replace, close: (graceMs) => (closing ??= stop(graceMs)) };
}

function addService(server: Server, { service, methods }: BoundService, options: CallOptions) {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, spec] of Object.entries(methods)) handlers[name] = handlerOf(spec, options);
  server.addService(definitionOf(service), handlers);
}

/** A listener of our own, so that connections are counted before grpc-js knows of them. */
function listen(
  server: Server,
  connections: Connections,
  credentials: ServerCredentials,
  { host, port }: GrpcServerOptions,
): Promise<Listener> {
  const { injectConnection } = server.createConnectionInjector(credentials);
  const listener = createListener((socket) => {
    connections.add(socket);
    injectConnection(socket);
  });
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) => {
      server.forceShutdown();
      connections.stop();
      const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
      reject(
        new HostError(
          "CONFIGURATION_INVALID",
          `gRPC cannot listen on ${address}: ${cause.message}. Choose another port or address.`,
          { cause },
        ),
      );
    });
    listener.listen(port, host, () => resolve(listener));
  });
}

async function close(
  server: Server,
  health: HealthRegistry,
  running: CallOptions["running"],
  graceMs: number,
): Promise<void> {
  health.close();
  let ended = false;
  const end = new Promise<void>((resolve) => server.tryShutdown(() => resolve())).then(
    () => void (ended = true),
  );
  // A client that went without a word never closes its connection: where no call runs, it is not waited for.
  const stepMs = 50;
  let quietMs = 0;
  for (
    let waitedMs = 0;
    !ended && waitedMs < graceMs && quietMs < limits.quietConnectionMs;
    waitedMs += stepMs
  ) {
    await Promise.race([end, sleep(stepMs)]);
    quietMs = running.size === 0 ? quietMs + stepMs : 0;
  }
  if (ended) return;
  for (const call of running)
    call.abort(new HostError("SHUTTING_DOWN", "The host is stopping; try again once it is back."));
  // The aborted calls get a moment to send their error before the connections go.
  if (running.size > 0) await Promise.race([end, sleep(Math.min(1000, graceMs))]);
  server.forceShutdown();
}
