import { ByteStream } from "../../gen/ts/google/bytestream/bytestream_pb.js";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService as DocumentServiceDescriptor } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService as ManagementServiceDescriptor } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { PolicyService as PolicyServiceDescriptor } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { DocumentService } from "../service/documents/document-service.js";
import { byteStreamImpl } from "./services/byte-stream.js";
import { openGrant } from "../security/access.js";
import { documentServiceImpl } from "./services/document-service.js";
import { managementServiceImpl, type GrantOf } from "./services/management-service.js";
import { operationsImpl } from "./services/operations.js";
import type { HostControl } from "../service/host/host-control.js";
import type { ManagementService } from "../service/backups/management-service.js";
import type { PolicyService } from "../service/policies/policy-service.js";
import type { OperationService } from "../operation/operation.js";
import type { StreamService } from "../service/backups/streams.js";
import { policyServiceImpl } from "./services/policy-service.js";
import { statusOf } from "./status.js";
import { bindService, type BoundService } from "./call/bound-service.js";

/** The services of a host, independent of protocols. */
export interface HostParts {
  documents: DocumentService;
  management: ManagementService;
  policies: PolicyService;
  operations: OperationService;
  streams: StreamService;
  control: HostControl;
  /** Current time in microseconds since 1970. */
  nowMicros: () => number;
  /** What the caller with these headers may do. Default: everything. */
  grantOf?: GrantOf;
}

/** Binds the services of a host for use by the transports. */
export function hostServices({
  documents,
  management,
  policies,
  operations,
  streams,
  control,
  nowMicros,
  grantOf = () => openGrant,
}: HostParts): BoundService[] {
  const conversion = { statusOf, nowMicros };
  return [
    bindService(DocumentServiceDescriptor, documentServiceImpl(documents, streams.idleMs)),
    bindService(
      ManagementServiceDescriptor,
      managementServiceImpl({ management, operations, streams, control }, conversion, grantOf),
    ),
    bindService(PolicyServiceDescriptor, policyServiceImpl(policies)),
    bindService(ByteStream, byteStreamImpl(streams)),
    bindService(Operations, operationsImpl(operations, conversion)),
  ];
}
