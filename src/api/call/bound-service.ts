import type { DescService } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";

/** A service's descriptor with its implementation. Every transport takes these. */
export type BoundService = ServiceImplSpec;

/** A method that the implementation leaves out answers UNIMPLEMENTED. */
export function bindService<Desc extends DescService>(
  service: Desc,
  implementation: Partial<ServiceImpl<Desc>>,
): BoundService {
  return createServiceImplSpec<Desc>(service, implementation);
}
