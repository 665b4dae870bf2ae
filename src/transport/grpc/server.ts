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

/**
 * Options of a gRPC server, which serves health and reflection in addition to the given services.
 */
export interface GrpcServerOptions extends CallChecks {
  /** Address or host name; IPv6 without brackets. */
  host: string;
  /** 0 selects a free port. */
  port: number;
  services: readonly BoundService[];
  /** Called with each error whose details are hidden from the caller. */
  onInternalError: OnInternalError;
  /** If omitted, connections are not encrypted. */
  tls?: TlsIdentity | undefined;
  /**
   * Time after which a stream is ended if the client reads nothing, in milliseconds. Default:
   * limits.streamIdleMs.
   */
  idleMs?: number;
  /** Admission control shared with other ports. Default: not shared, without tokens. */
  admission?: Admission;
  /** Notified of each call when it ends. */
  observer?: RequestObserver;
  /** Health service; reports NOT_SERVING once the server starts to close. */
  health: HealthRegistry;
  /** Additional files for reflection: messages only used inside an Any. */
  reflectionFiles?: readonly DescFile[];
}

/** A running gRPC server. */
export interface GrpcServer {
  readonly port: number;
  /** Uses the identity from the next handshake on. Has no effect without TLS. */
  replaceTls(tls: TlsIdentity): void;
  /**
   * Rejects new calls, waits up to the grace period for running ones, then aborts them. Health
   * reports NOT_SERVING first.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts a server and resolves when it accepts connections. Rejects with CONFIGURATION_INVALID if
 * it cannot listen.
 */
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
    // Without authorization: the guard authorizes before a message is read.
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

/** Uses a separate listener, so that connections are counted before grpc-js accepts them. */
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
          `gRPC: cannot listen on ${address}: ${cause.message}. Choose another port or address.`,
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
  // A client that vanished never closes its connection, so idle connections are not waited for.
  const stepMs = 50;
  let idleMs = 0;
  for (
    let waitedMs = 0;
    !ended && waitedMs < graceMs && idleMs < limits.grpcCloseMs;
    waitedMs += stepMs
  ) {
    await Promise.race([end, sleep(stepMs)]);
    idleMs = running.size === 0 ? idleMs + stepMs : 0;
  }
  if (ended) return;
  for (const call of running)
    call.abort(
      new HostError("SHUTTING_DOWN", "The host is shutting down. Retry when it is running again."),
    );
  // Gives the aborted calls time to send their errors before the connections are closed.
  if (running.size > 0) await Promise.race([end, sleep(Math.min(1000, graceMs))]);
  server.forceShutdown();
}
