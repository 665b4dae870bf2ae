import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { constants } from "node:http2";
import { Duplex } from "node:stream";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { unknownToken } from "../../security/roles.js";
import type { RequestObserver } from "../../service/host/requests.js";
import { admit, type Admission } from "../admission.js";
import { bearerTokenOf, type Authorize } from "../../api/policy/authorization.js";
import type { Connections } from "../connections.js";
import { serviceErrorOf } from "./error.js";
import { FrameMeter } from "./frames.js";
import { observeCall } from "./observe.js";

export interface GuardOptions {
  /** The methods that are served, by path. */
  methods: ReadonlyMap<string, DescMethod>;
  authorize: Authorize | undefined;
  admission: Admission;
  connections: Connections;
  observer: RequestObserver | undefined;
}

type InterceptedCall = Parameters<ServerInterceptor>[1];

/** What a reader of a call says when it has taken a message; by the metadata of the call, which grpc-js hands through. */
const readers = new WeakMap<Metadata, () => void>();

/** The next message of the call with this metadata was taken, so that its bytes no longer count. */
export function messageTaken(metadata: Metadata): void {
  readers.get(metadata)?.();
}

/**
 * Looks at each call before a message of it is read: whether its token may call the method, and what its client has in flight. While
 * messages come their bytes are accounted; a call that would take more than its client's share is ended, and one whose messages
 * nobody takes is not read further.
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
    let readWaits = false;
    let refused = false;

    const refuse = (thrown: unknown, metadata: Metadata) => {
      // To refuse a call costs more than to make one: who goes on is cut off, with all that came in the same packets.
      const { remoteAddress, remotePort } = call.getConnectionInfo();
      const connection = connections.find(remoteAddress, remotePort);
      const error = HostError.from(thrown);
      // Who is known and may not do one thing may do others; a stranger who has all that strangers may have goes on asking.
      const isStranger = connection?.client?.authenticated !== true;
      const counts =
        error.code === "UNAUTHENTICATED" || (isStranger && error.reason === "OVERLOADED");
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
      // What grpc-js has buffered of a message goes with the stream, and its sender is told to stop; in the same turn that would overtake the status.
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    };

    function read(): void {
      readWaits =
        requestStream && meter !== undefined && meter.waitingBytes > limits.grpcWaitingBytes;
      if (!readWaits) call.startRead();
    }

    function enter(metadata: Metadata): number {
      const token = bearerTokenOf(textOf(metadata, "authorization"));
      const { remoteAddress, remotePort } = call.getConnectionInfo();
      const connection = connections.find(remoteAddress, remotePort);
      if (connection) connections.begin(connection);
      stream.once("close", () => connection && connections.end(connection));
      const { client, delayMs } = admit(admission, connections, connection, token, remoteAddress);
      const place = admission.shares.calls.open(client);
      stream.once("close", place.release);
      place.add(1);
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
        if (readWaits) read();
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

/** The HTTP/2 stream of a call. grpc-js shows no bytes of a message before it is whole, and by then it holds them. */
function streamOf(call: InterceptedCall): CallStream {
  const stream: unknown = "stream" in call ? call.stream : undefined;
  if (stream instanceof Duplex && "close" in stream) return stream as CallStream;
  throw new TypeError("A call of grpc-js has no HTTP/2 stream: this version of it does not fit");
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}
