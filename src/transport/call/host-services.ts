import { Operations } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService as DocumentServiceDescriptor } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService as ManagementServiceDescriptor } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { DocumentService } from "../../service/document-service.js";
import { documentServiceImpl } from "../../service/grpc/document-service.js";
import { managementServiceImpl } from "../../service/grpc/management-service.js";
import { operationsImpl } from "../../service/grpc/operations.js";
import type { ManagementService, OperationService } from "../../service/management-service.js";
import { statusOf } from "../status.js";
import { bindService, type BoundService } from "./bound-service.js";

/** What the host does, in its own terms. */
export interface HostParts {
  documents: DocumentService;
  management: ManagementService;
  operations: OperationService;
  /** Microseconds since 1970. */
  nowMicros: () => number;
}

/** The services of a host as every transport takes them. */
export function hostServices({ documents, management, operations, nowMicros }: HostParts): BoundService[] {
  const conversion = { statusOf, nowMicros };
  return [
    bindService(DocumentServiceDescriptor, documentServiceImpl(documents)),
    bindService(ManagementServiceDescriptor, managementServiceImpl(management, conversion)),
    bindService(Operations, operationsImpl(operations, conversion)),
  ];
}
