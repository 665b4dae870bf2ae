import type { Client } from "nice-grpc";
import type { ByteStreamDefinition } from "./gen/google/bytestream/bytestream.js";
import type { OperationsDefinition } from "./gen/google/longrunning/operations.js";
import type { HealthDefinition } from "./gen/grpc/health/v1/health.js";
import type { DocumentServiceDefinition } from "./gen/holdfast/document/v1/document.js";
import type { ManagementServiceDefinition } from "./gen/holdfast/management/v1/management.js";
import type { PolicyServiceDefinition } from "./gen/holdfast/management/v1/policy.js";

/** Generated clients of the services of a host, with promises, and async iterables for streams. */
export interface Services {
  readonly management: Client<typeof ManagementServiceDefinition>;
  readonly policies: Client<typeof PolicyServiceDefinition>;
  readonly documents: Client<typeof DocumentServiceDefinition>;
  readonly operations: Client<typeof OperationsDefinition>;
  readonly byteStream: Client<typeof ByteStreamDefinition>;
  readonly health: Client<typeof HealthDefinition>;
}
