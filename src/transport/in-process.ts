import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { errorInterceptor } from "./connect/interceptor.js";
import type { OnInternalError } from "../api/status.js";
import type { BoundService } from "../api/call/bound-service.js";
import { bindRouter } from "../api/call/router.js";

/**
 * Returns a transport that calls services of this process with the error conversion of a remote
 * call. Requests are not validated against the rules in the protos; those bound what remote clients
 * send.
 */
export function inProcessTransport(
  services: readonly BoundService[],
  onInternalError: OnInternalError,
): Transport {
  return createRouterTransport((router) => bindRouter(router, services), {
    router: { interceptors: [errorInterceptor(onInternalError)] },
  });
}
