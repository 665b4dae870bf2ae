import { createContextKey, type Interceptor } from "@connectrpc/connect";
import type { Protocol } from "../../security/caller.js";

/** Where a call came from, among the values of its context. */
export interface CallOrigin {
  via: Protocol;
  /** Undefined: from the process itself. */
  address: string | undefined;
  /** Why the call is refused, where that was found before its message was read. */
  refusal?: Error | undefined;
}

export const callOrigin = createContextKey<CallOrigin>({ via: "other", address: undefined });

/** Ends the call whose refusal its context has. */
export const refusalInterceptor: Interceptor = (next) => (request) => {
  const { refusal } = request.contextValues.get(callOrigin);
  if (refusal) throw refusal;
  return next(request);
};

/** The address of a client as gRPC writes it, without its port. */
export function addressOfPeer(client: string): string {
  return client.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
