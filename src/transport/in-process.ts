import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { errorInterceptor } from "./connect/interceptor.js";
import type { OnInternalError } from "../api/status.js";
import type { BoundService } from "../api/call/bound-service.js";
import { bindRouter } from "../api/call/router.js";

/** Calls services of this very process as clients call those of a host, with the same errors. The rules of the protos are not looked at: they bound what strangers send. */
export function inProcessTransport(
  services: readonly BoundService[],
  onInternalError: OnInternalError,
): Transport {
  return createRouterTransport((router) => bindRouter(router, services), {
    router: { interceptors: [errorInterceptor(onInternalError)] },
  });
}
