import { createHandlerContext, type HandlerContext, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import type { Deadline, Metadata } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { OnInternalError } from "../status.js";
import { headersOf } from "./metadata.js";

/** What calls of all shapes have in common. */
export interface Call {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
  getDeadline(): Deadline;
  getPath(): string;
  getHost(): string;
  on(event: "cancelled", listener: () => void): unknown;
}

/** What the handlers of one server have in common. */
export interface CallOptions {
  interceptors: readonly Interceptor[];
  onInternalError: OnInternalError;
  /** Aborts what still runs when the server may wait no longer. */
  shutdownSignal: AbortSignal;
  /** How long a client may take nothing of a stream, in milliseconds. */
  idleMs: number;
  /** How many calls run; the handlers keep it. */
  running: { calls: number };
}

export interface CallContext extends HandlerContext {
  /** Ends what runs on the context's signal. */
  abort(reason?: unknown): void;
}

/** The context of a method's handler; its signal aborts when the client leaves, at the deadline and at shutdown. */
export function callContext(spec: MethodImplSpec, call: Call, options: CallOptions): CallContext {
  const left = new AbortController();
  call.on("cancelled", () => {
    left.abort(new HostError("OPERATION_CANCELLED", "The client cancelled the call or went away."));
  });
  return createHandlerContext({
    service: spec.method.parent,
    method: spec.method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: `http://${call.getHost()}${call.getPath()}`,
    requestHeader: headersOf(call.metadata),
    requestSignal: left.signal,
    shutdownSignal: options.shutdownSignal,
    timeoutMs: timeoutMs(call),
  });
}

function timeoutMs(call: Call): number | undefined {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? Math.min(Math.max(0, deadline - Date.now()), limits.deadlineMs) : undefined;
}
