import type { TokenTable } from "../../security/tokens.js";
import type { DocumentService } from "../../service/document-service.js";
import type { ManagementService, OperationService } from "../../service/management-service.js";
import type { HttpHandler } from "../http/server.js";
import { requireRoleOf } from "./access.js";
import { createDocumentRoutes } from "./document-routes.js";
import { createManagementRoutes } from "./management-routes.js";

export interface XenonDialectOptions {
  documents: DocumentService;
  management: ManagementService;
  operations: OperationService;
  /** The indexes that are open, by link; their backup services are these with -backup. */
  indexLinks: readonly string[];
  hostId: string;
  /** Absent: everything is allowed to everybody who can connect. */
  tokens?: TokenTable | undefined;
}

/** What a VMware Xenon host answers under /core: documents, factories, and backup and restore by PATCH. */
export function createXenonDialect(options: XenonDialectOptions): HttpHandler {
  const { documents, management, operations, indexLinks, hostId, tokens } = options;
  const requireRole = requireRoleOf(tokens);
  const onDocuments = createDocumentRoutes({ documents, indexLinks, hostId, requireRole });
  const onManagement = createManagementRoutes({ management, operations, indexLinks, authorization: tokens !== undefined, requireRole });
  return async (request, response, signal) =>
    (await onDocuments(request, response, signal)) || (await onManagement(request, response, signal));
}
