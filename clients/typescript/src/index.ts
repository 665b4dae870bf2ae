export { HoldfastClient, type HoldfastClientOptions } from "./client.js";
export { HoldfastError, errorOfStatus } from "./error.js";
export type { DownloadOptions, DownloadedBackup, TransferProgress } from "./download.js";
export type { UploadOptions, UploadedRestore } from "./upload.js";
export type { ExportOptions, ImportOptions, ImportResult } from "./documents.js";
export type { FinishedOperation, WaitOptions } from "./operation.js";
export * from "./gen/holdfast/management/v1/management.js";
export {
  BodyFormat,
  CreateDocumentRequest,
  Document,
  DocumentAction,
  DocumentServiceClient,
  DocumentServiceDefinition,
  DocumentServiceService,
  ImportDocumentsRequest,
  ImportDocumentsResponse,
} from "./gen/holdfast/document/v1/document.js";
export { Operation } from "./gen/google/longrunning/operations.js";
