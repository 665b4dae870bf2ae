import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type { RestoreResultJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { metadataOf, restoreResultOf } from "./host.js";

/** A restore or an undo that has changed an index. */
export interface LastRestore {
  operation: OperationJson;
  result: RestoreResultJson;
  isUndo: boolean;
  endMicros: number;
}

/** The last restore or undo of an index among operations, the newest first; undefined if there is none. */
export function lastRestoreOf(
  operations: OperationJson[],
  indexLink: string,
): LastRestore | undefined {
  for (const operation of operations) {
    const { kind, indexLink: of, endTimeMicros } = metadataOf(operation);
    const isUndo = kind === "OPERATION_KIND_UNDO_RESTORE";
    if (of !== indexLink || (kind !== "OPERATION_KIND_RESTORE" && !isUndo)) continue;
    const result = restoreResultOf(operation);
    if (!operation.done || operation.error || result.validateOnly) continue;
    return { operation, result, isUndo, endMicros: Number(endTimeMicros ?? 0) };
  }
  return undefined;
}
