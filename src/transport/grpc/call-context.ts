import {
  createContextValues,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { Metadata, type Deadline } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { RequestObserver } from "../../service/host/requests.js";
import type { OnInternalError } from "../../api/status.js";
import { addressOfPeer, callOrigin } from "../../api/policy/origin.js";
import { heldAnswer } from "../../api/policy/held-answer.js";
import { holdAnswer } from "./held-answers.js";
import { headersOf, metadataOf } from "./metadata.js";

/** The common part of grpc-js unary and streaming calls. */
export interface Call {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
  getDeadline(): Deadline;
  getPath(): string;
  getHost(): string;
  getPeer(): string;
  on(event: "cancelled", listener: () => void): unknown;
}

/** Options shared by the handlers of one server. */
export interface CallOptions {
  interceptors: readonly Interceptor[];
  /** Called with each error whose details are hidden from the caller. */
  onInternalError: OnInternalError;
  /** Time after which a stream is ended if the client reads nothing, in milliseconds. */
  idleMs: number;
  observer?: RequestObserver | undefined;
  /**
   * Running calls, maintained by the handlers; the server aborts them at the end of its grace
   * period.
   */
  running: Set<CallContext>;
}

/** Context of a running gRPC call. */
export interface CallContext extends HandlerContext {
  /** Aborts the signal of the context. */
  abort(reason?: unknown): void;
  /** Headers and trailers set by the method. */
  responseMetadata(): Metadata;
  trailerMetadata(): Metadata;
}

/**
 * Creates the context of a method call. Its signal aborts when the client disconnects, at the
 * deadline and at shutdown. Signals and headers are created on first use: creating them eagerly
 * costs a short call a third of its rate.
 */
export function callContext(spec: MethodImplSpec, call: Call): CallContext {
  const timeoutMs = timeoutMsOf(call);
  let controller: AbortController | undefined;
  let reason: unknown;
  let requestHeader: Headers | undefined;
  let responseHeader: Headers | undefined;
  let responseTrailer: Headers | undefined;
  let values: ContextValues | undefined;
  const abort = (why: unknown) => {
    if (reason !== undefined) return;
    reason = why;
    clearTimeout(timer);
    controller?.abort(why);
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => abort(new HostError("DEADLINE", "The deadline of the call was exceeded.")),
          timeoutMs,
        );
  call.on("cancelled", () => {
    // The event is also emitted after a successful call.
    if (reason === undefined)
      abort(new HostError("OPERATION_CANCELLED", "The client cancelled the call or disconnected."));
  });
  return {
    service: spec.method.parent,
    method: spec.method,
    protocolName: "grpc",
    requestMethod: "POST",
    get url() {
      return `http://${call.getHost()}${call.getPath()}`;
    },
    get requestHeader() {
      return (requestHeader ??= headersOf(call.metadata));
    },
    get responseHeader() {
      return (responseHeader ??= new Headers());
    },
    get responseTrailer() {
      return (responseTrailer ??= new Headers());
    },
    get values() {
      return (values ??= createContextValues()
        .set(callOrigin, { via: "grpc", address: addressOfPeer(call.getPeer()) })
        .set(heldAnswer, { add: (bytes) => holdAnswer(call.metadata, bytes) }));
    },
    get signal() {
      controller ??= new AbortController();
      if (reason !== undefined) controller.abort(reason);
      return controller.signal;
    },
    timeoutMs: () => timeoutMs,
    abort,
    responseMetadata: () => (responseHeader ? metadataOf(responseHeader) : new Metadata()),
    trailerMetadata: () => (responseTrailer ? metadataOf(responseTrailer) : new Metadata()),
  };
}

function timeoutMsOf(call: Call): number | undefined {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline)
    ? Math.min(Math.max(0, deadline - Date.now()), limits.maxDeadlineMs)
    : undefined;
}
