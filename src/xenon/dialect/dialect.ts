import type { FileStore } from "../local-files/file-store.js";
import type { ClientShares } from "../../service/host/client-shares.js";
import type { DocumentService } from "../../service/documents/document-service.js";
import type { HostControl } from "../../service/host/host-control.js";
import type { ManagementService } from "../../service/backups/management-service.js";
import type { OperationService } from "../../operation/operation.js";
import type { QueryTasks } from "../query/query-tasks.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import { createDialectAccess, type DialectAccessOptions } from "./access.js";
import { createDocumentRoutes } from "./document-routes.js";
import { createLocalFileRoutes } from "./local-file-routes.js";
import { createManagementRoutes } from "./management-routes.js";
import { createNodeGroupRoutes } from "./node-group-routes.js";
import { createQueryTaskRoutes } from "./query-task-routes.js";

/** Dependencies of createXenonDialect. */
export interface XenonDialectOptions extends DialectAccessOptions {
  documents: DocumentService;
  management: ManagementService;
  operations: OperationService;
  control: HostControl;
  queries: QueryTasks;
  fileStore: FileStore;
  /** Time after which a file transfer without progress is aborted, in milliseconds. */
  idleMs: number;
  /**
   * Links of the open indexes. The link of a backup service is that of its index with the suffix
   * -backup.
   */
  indexLinks: readonly string[];
  hostId: string;
  startTimeMicros: number;
  /** Limits of operations and file services per token. If omitted, there is no limit. */
  shares?: ClientShares | undefined;
}

/**
 * Serves the API of a VMware Xenon host: documents, factories, query tasks, local files, and backup
 * and restore by PATCH. The handlers are tried in order, that of the most frequent requests first.
 */
export function createXenonDialect(options: XenonDialectOptions): HttpHandler[] {
  const {
    documents,
    management,
    operations,
    control,
    queries,
    fileStore,
    idleMs,
    indexLinks,
    hostId,
    startTimeMicros,
    shares,
  } = options;
  const access = createDialectAccess(options, "xenon");
  const onDocuments = createDocumentRoutes({
    documents,
    indexLinks,
    hostId,
    startTimeMicros,
    access,
  });
  const onManagement = createManagementRoutes({
    management,
    operations,
    control,
    hostId,
    indexLinks,
    access,
    shares,
  });
  const onQueryTasks = createQueryTaskRoutes({ queries, hostId, access });
  const onNodeGroup = createNodeGroupRoutes({ hostId, startTimeMicros, access });
  const onLocalFiles = createLocalFileRoutes({
    fileStore,
    hostId,
    idleMs,
    access: createDialectAccess(options, "files"),
    shares,
  });
  return [onDocuments, onQueryTasks, onManagement, onNodeGroup, onLocalFiles];
}
