import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { constants } from "node:http2";
import { Duplex } from "node:stream";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { unknownToken } from "../../security/authorize.js";
import type { RequestObserver } from "../../service/host/requests.js";
import { admit, type Admission } from "../admission.js";
import { bearerTokenOf, type Authorize } from "../../api/policy/authorization.js";
import type { Connections } from "../connections.js";
import { serviceErrorOf } from "./error.js";
import { FrameMeter } from "./frames.js";
import { observeCall } from "./observe.js";

/** Options of createGuard. */
export interface GuardOptions {
  /** Served methods by path. */
  methods: ReadonlyMap<string, DescMethod>;
  authorize: Authorize | undefined;
  admission: Admission;
  connections: Connections;
  observer: RequestObserver | undefined;
}

type InterceptedCall = Parameters<ServerInterceptor>[1];

/**
 * Callbacks for consumed messages, by the metadata object of the call, which grpc-js passes
 * through.
 */
const readers = new WeakMap<Metadata, () => void>();

/** Releases the bytes of the next message of the call with this metadata after it was consumed. */
export function messageTaken(metadata: Metadata): void {
  readers.get(metadata)?.();
}

/**
 * Creates the interceptor that checks each call before a message is read: authorization of its
 * token, and the resources its client has in flight. Bytes are accounted for as messages arrive. A
 * call that exceeds its client's share is ended, and reading is paused while its messages are not
 * consumed.
 */
export function createGuard({
  methods,
  authorize,
  admission,
  connections,
  observer,
}: GuardOptions): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const stream = streamOf(call);
    let meter: FrameMeter | undefined;
    let readPaused = false;
    let refused = false;

    const refuse = (thrown: unknown, metadata: Metadata) => {
      // Rejecting a call costs more than making one, so a client that persists is disconnected,
      // which also drops the calls received in the same packets.
      const { remoteAddress, remotePort } = call.getConnectionInfo();
      const connection = connections.find(remoteAddress, remotePort);
      const error = HostError.from(thrown);
      // An authenticated client that lacks one permission may have others, so PERMISSION_DENIED
      // does not count.
      const isUnauthenticated = connection?.client?.authenticated !== true;
      const counts =
        error.code === "UNAUTHENTICATED" || (isUnauthenticated && error.reason === "OVERLOADED");
      if (connection && counts && connections.refused(connection)) {
        refused = true;
        stream.session?.destroy();
        return;
      }
      const { code, details, metadata: trailers } = serviceErrorOf(error, new Metadata());
      observeCall(observer, {
        metadata,
        getPath: () => path,
        getHost: () => call.getHost(),
        getPeer: () => call.getPeer(),
      })(error);
      call.sendStatus({ code, details, metadata: trailers ?? null });
      refused = true;
      // Closing the stream frees what grpc-js buffered and stops the sender. Deferred, so that the
      // status is sent first.
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    };

    function read(): void {
      readPaused =
        requestStream && meter !== undefined && meter.waitingBytes > limits.grpcQueuedBytes;
      if (!readPaused) call.startRead();
    }

    function enter(metadata: Metadata): number {
      const token = bearerTokenOf(textOf(metadata, "authorization"));
      const { remoteAddress, remotePort } = call.getConnectionInfo();
      const connection = connections.find(remoteAddress, remotePort);
      if (connection) connections.begin(connection);
      stream.once("close", () => connection && connections.end(connection));
      const { client, delayMs } = admit(admission, connections, connection, token, remoteAddress);
      const slot = admission.shares.calls.open(client);
      stream.once("close", slot.release);
      slot.add(1);
      if (delayMs > 0) return delayMs;
      const method = methods.get(path);
      if (method) authorize?.(method, { via: "grpc", bearerToken: token, address: remoteAddress });
      account(metadata, client);
      return 0;
    }

    function account(metadata: Metadata, client: Client): void {
      const hold = admission.shares.bytes.open(client);
      const frames = (meter = new FrameMeter(hold));
      stream.once("close", hold.release);
      stream.on("data", (chunk: Buffer) => {
        if (refused) return;
        try {
          frames.push(chunk);
        } catch (thrown) {
          refuse(thrown, metadata);
        }
      });
      readers.set(metadata, () => {
        frames.taken();
        if (readPaused) read();
      });
    }

    const guarded: InterceptedCall = {
      start(listener) {
        call.start({
          onReceiveMetadata(metadata) {
            try {
              const delayMs = enter(metadata);
              if (delayMs > 0) {
                setTimeout(() => refuse(unknownToken(), metadata), delayMs);
                return;
              }
            } catch (thrown) {
              refuse(thrown, metadata);
              return;
            }
            listener.onReceiveMetadata(metadata);
          },
          onReceiveMessage: (message) => listener.onReceiveMessage(message),
          onReceiveHalfClose: () => listener.onReceiveHalfClose(),
          onCancel: () => listener.onCancel(),
        });
      },
      startRead: read,
      sendMetadata: (metadata) => call.sendMetadata(metadata),
      sendMessage: (message, callback) => call.sendMessage(message, callback),
      sendStatus: (status) => call.sendStatus(status),
      getPeer: () => call.getPeer(),
      getDeadline: () => call.getDeadline(),
      getHost: () => call.getHost(),
      getAuthContext: () => call.getAuthContext(),
      getConnectionInfo: () => call.getConnectionInfo(),
      getMetricsRecorder: () => call.getMetricsRecorder(),
    };
    return new ServerInterceptingCall(guarded);
  };
}

interface CallStream extends Duplex {
  readonly session: { destroy(): void } | undefined;
  close(code?: number): void;
}

/**
 * Returns the HTTP/2 stream of a call: grpc-js exposes a message only after it buffered all of it.
 */
function streamOf(call: InterceptedCall): CallStream {
  const stream: unknown = "stream" in call ? call.stream : undefined;
  if (stream instanceof Duplex && "close" in stream) return stream as CallStream;
  throw new TypeError("Unsupported version of grpc-js: a call has no HTTP/2 stream");
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}
