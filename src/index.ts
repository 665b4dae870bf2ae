/** Holdfast as a library: a document host with backup and restore in your own process. */
export { createHost, type Host } from "./host/start.js";
export type { HostLogger, HostOptions } from "./host/options.js";
export { HostError, type Code, type Reason } from "./errors.js";
export type { Action, DocumentVersion } from "./document/document.js";
export type {
  DocumentService,
  FactoryDescription,
  ListRequest,
  ListResult,
  WriteOptions,
} from "./service/documents/document-service.js";
export type { ManagementService } from "./service/backups/management-service.js";
export type * from "./service/policies/policy-service.js";
export type { CopySpec, PolicySpec, RunKind, WebhookSpec } from "./policy/policy.js";
export type * from "./service/host/description.js";
export type * from "./operation/operation.js";
export type * from "./backup/backup-request.js";
export type * from "./backup/restore-request.js";
export type * from "./backup/point-in-time.js";
export type * from "./backup/verification.js";
export type * from "./backup/listing.js";
export type * from "./backup/schedule/status.js";
export type { OperationProgress } from "./backup/progress.js";
export type {
  BackupDescription,
  ContainerKind,
  SegmentDescription,
} from "./segment/description.js";
export type * from "./destination/destination.js";
export type { DestinationScheme, OpenedUri, OpenRequest, Purpose } from "./destination/registry.js";
