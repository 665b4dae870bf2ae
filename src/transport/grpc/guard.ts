import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { constants } from "node:http2";
import { Duplex } from "node:stream";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import type { Hold } from "../../security/shares.js";
import { unknownToken } from "../../security/authorize.js";
import type { RequestObserver } from "../../service/host/requests.js";
import { admit, type Admission } from "../admission.js";
import { bearerTokenOf, type Authorize } from "../../api/policy/authorization.js";
import type { Connections } from "../connections.js";
import { serviceErrorOf } from "./error.js";
import { FrameMeter } from "./frames.js";
import { setHeldAnswer } from "./held-answers.js";
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

/** What to call after a message was consumed; stored as in held-answers.ts. */
const reading = Symbol("reader of the call");
type Read = Metadata & { [reading]?: () => void };

/** Releases the bytes of the next message of the call with this metadata after it was consumed. */
export function messageTaken(metadata: Read): void {
  metadata[reading]?.();
}

/**
 * Creates the interceptor that checks each call before a message is read: authorization of its
 * token, and the resources its client has in flight. Bytes are accounted for as messages arrive. A
 * call that exceeds its client's share is ended, and reading is paused while its messages are not
 * consumed.
 */
export function createGuard(options: GuardOptions): ServerInterceptor {
  return ({ path, requestStream }, call) =>
    new ServerInterceptingCall(new GuardedCall(options, path, requestStream, call).intercepted());
}

/** One call, its bytes in flight, and whether it was refused. */
class GuardedCall {
  private readonly stream: CallStream;
  private meter: FrameMeter | undefined;
  private readPaused = false;
  private refused = false;
  /** What is released when the stream has closed; undefined after that. */
  private holds: Hold[] | undefined = [];

  constructor(
    private readonly options: GuardOptions,
    private readonly path: string,
    private readonly requestStream: boolean,
    private readonly call: InterceptedCall,
  ) {
    this.stream = streamOf(call);
  }

  /** Returns the call that grpc-js uses in place of the original one. */
  intercepted(): InterceptedCall {
    const { call } = this;
    return {
      start: (listener) => {
        call.start({
          onReceiveMetadata: (metadata) => this.admit(metadata, listener),
          onReceiveMessage: (message) => listener.onReceiveMessage(message),
          onReceiveHalfClose: () => listener.onReceiveHalfClose(),
          onCancel: () => listener.onCancel(),
        });
      },
      startRead: () => this.read(),
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
  }

  /** Passes the metadata on, or refuses the call: at once, or after the delay for an unknown token. */
  private admit(metadata: Metadata, listener: Parameters<InterceptedCall["start"]>[0]): void {
    try {
      const delayMs = this.enter(metadata);
      if (delayMs > 0) {
        setTimeout(() => this.refuse(unknownToken(), metadata), delayMs);
        return;
      }
    } catch (thrown) {
      this.refuse(thrown, metadata);
      return;
    }
    listener.onReceiveMetadata(metadata);
  }

  /** Checks the token and the share of the client. Returns the delay before the call is refused, or 0. */
  private enter(metadata: Metadata): number {
    const { methods, authorize, admission, connections } = this.options;
    const { stream } = this;
    const token = bearerTokenOf(textOf(metadata, "authorization"));
    const { remoteAddress, remotePort } = this.call.getConnectionInfo();
    const connection = connections.find(remoteAddress, remotePort);
    if (connection) connections.begin(connection);
    // One listener: each costs a short call a few percent.
    stream.once("close", () => {
      if (connection) connections.end(connection);
      for (const hold of this.holds ?? []) hold.release();
      this.holds = undefined;
    });
    const { client, delayMs } = admit(admission, connections, connection, token, remoteAddress);
    const slot = admission.shares.calls.open(client);
    this.holds?.push(slot);
    slot.add(1);
    if (delayMs > 0) return delayMs;
    const method = methods.get(this.path);
    if (method) authorize?.(method, { via: "grpc", bearerToken: token, address: remoteAddress });
    this.account(metadata, client);
    return 0;
  }

  /** Charges the bytes of messages to the client until they are consumed. */
  private account(metadata: Read, client: Client): void {
    const hold = this.options.admission.shares.bytes.open(client);
    const frames = (this.meter = new FrameMeter(hold));
    this.holds?.push(hold);
    setHeldAnswer(metadata, (bytes) => {
      // Nothing would release what a call takes after its end.
      if (this.holds === undefined) return;
      const answer = this.options.admission.shares.answers.open(client);
      answer.add(bytes);
      this.holds.push(answer);
    });
    this.stream.on("data", (chunk: Buffer) => {
      if (this.refused) return;
      try {
        frames.push(chunk);
      } catch (thrown) {
        this.refuse(thrown, metadata);
      }
    });
    metadata[reading] = () => {
      frames.taken();
      if (this.readPaused) this.read();
    };
  }

  private read(): void {
    this.readPaused =
      this.requestStream &&
      this.meter !== undefined &&
      this.meter.waitingBytes > limits.grpcQueuedBytes;
    if (!this.readPaused) this.call.startRead();
  }

  private refuse(thrown: unknown, metadata: Metadata): void {
    const error = HostError.from(thrown);
    this.refused = true;
    if (this.closesConnection(error)) {
      this.stream.session?.destroy();
      return;
    }
    const { call } = this;
    const { code, details, metadata: trailers } = serviceErrorOf(error, new Metadata());
    observeCall(this.options.observer, {
      metadata,
      getPath: () => this.path,
      getHost: () => call.getHost(),
      getPeer: () => call.getPeer(),
    })(error);
    call.sendStatus({ code, details, metadata: trailers ?? null });
    // Closing the stream frees what grpc-js buffered and stops the sender. Deferred, so that the
    // status is sent first.
    setImmediate(() => this.stream.close(constants.NGHTTP2_NO_ERROR));
  }

  /**
   * Whether the client is disconnected because it persists. Rejecting a call costs more than making
   * one, and a disconnect also drops the calls received in the same packets.
   */
  private closesConnection(error: HostError): boolean {
    const { connections } = this.options;
    const { remoteAddress, remotePort } = this.call.getConnectionInfo();
    const connection = connections.find(remoteAddress, remotePort);
    // An authenticated client that lacks one permission may have others, so PERMISSION_DENIED
    // does not count.
    const isUnauthenticated = connection?.client?.authenticated !== true;
    const counts =
      error.code === "UNAUTHENTICATED" || (isUnauthenticated && error.reason === "OVERLOADED");
    return connection !== undefined && counts && connections.refused(connection);
  }
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
