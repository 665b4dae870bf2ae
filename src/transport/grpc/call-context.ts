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
import { headersOf, metadataOf } from "./metadata.js";

/** What calls of all shapes have in common. */
export interface Call {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
  getDeadline(): Deadline;
  getPath(): string;
  getHost(): string;
  getPeer(): string;
  on(event: "cancelled", listener: () => void): unknown;
}

/** What the handlers of one server have in common. */
export interface CallOptions {
  interceptors: readonly Interceptor[];
  onInternalError: OnInternalError;
  /** How long a client may take nothing of a stream, in milliseconds. */
  idleMs: number;
  observer?: RequestObserver | undefined;
  /** The calls that run; the handlers keep it, and a server that may wait no longer aborts them. */
  running: Set<CallContext>;
}

export interface CallContext extends HandlerContext {
  /** Ends what runs on the context's signal. */
  abort(reason?: unknown): void;
  /** What the method set to be sent before and after its answer. */
  responseMetadata(): Metadata;
  trailerMetadata(): Metadata;
}

/**
 * The context of a method's handler; its signal aborts when the client leaves, at the deadline and at shutdown. Its parts
 * are made when they are asked for: to make signals and headers that nobody looks at costs a short call a third of its rate.
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
          () => abort(new HostError("DEADLINE", "The deadline of the call has passed.")),
          timeoutMs,
        );
  call.on("cancelled", () => {
    // It also comes behind the end of a call that went well.
    if (reason === undefined)
      abort(new HostError("OPERATION_CANCELLED", "The client cancelled the call or went away."));
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
      return (values ??= createContextValues().set(callOrigin, {
        via: "grpc",
        address: addressOfPeer(call.getPeer()),
      }));
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
    ? Math.min(Math.max(0, deadline - Date.now()), limits.deadlineMs)
    : undefined;
}
