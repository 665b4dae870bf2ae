import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  OpenBackupRequestJson,
  OpenedIndexJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { post } from "./request.js";

/** Calls of /v1 on backups that are open as read-only indexes. */

export const startOpen = (request: OpenBackupRequestJson) =>
  post<OperationJson>("/v1/indexes:open", request);

export const closeOpened = (indexLink: string) => post<object>("/v1/indexes:close", { indexLink });

/** The index that an operation has opened. */
export const openedOf = (operation: OperationJson): OpenedIndexJson =>
  (operation.response ?? {}) as OpenedIndexJson;
