import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { BoundService } from "./bound-service.js";

/** Registers services with a Connect router. */
export function bindRouter(router: ConnectRouter, services: readonly BoundService[]): void {
  for (const { service, methods } of services) {
    router.service(
      service,
      Object.fromEntries(
        Object.entries(methods).map(([name, { impl }]) => [name, impl]),
      ) as unknown as Partial<ServiceImpl<DescService>>,
    );
  }
}
