import { createContextKey, type Interceptor } from "@connectrpc/connect";
import type { Protocol } from "../../security/caller.js";

/** Origin of a call, stored in its context. */
export interface CallOrigin {
  via: Protocol;
  /** Remote address; undefined for calls from this process. */
  address: string | undefined;
  /** Error found before the message was read; the call fails with it. */
  refusal?: Error | undefined;
}

/** Context key of the origin. */
export const callOrigin = createContextKey<CallOrigin>({ via: "other", address: undefined });

/** Fails calls that have a refusal in their context. */
export const refusalInterceptor: Interceptor = (next) => (request) => {
  const { refusal } = request.contextValues.get(callOrigin);
  if (refusal) throw refusal;
  return next(request);
};

/** Removes the port from a peer address as formatted by grpc-js. */
export function addressOfPeer(client: string): string {
  return client.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
