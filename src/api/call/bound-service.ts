import type { DescService } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";

/** A service descriptor with its implementation, usable with every transport. */
export type BoundService = ServiceImplSpec;

/**
 * Binds an implementation to a service. Methods missing in the implementation return UNIMPLEMENTED.
 */
export function bindService<Desc extends DescService>(
  service: Desc,
  implementation: Partial<ServiceImpl<Desc>>,
): BoundService {
  return createServiceImplSpec<Desc>(service, implementation);
}
