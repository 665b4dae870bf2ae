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
export type * from "./service/backups/management-service.js";
