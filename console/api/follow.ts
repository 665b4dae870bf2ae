import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { watchOperation } from "./host.js";

/** Follows an operation to its end. Throws its error, or that the connection was lost. */
export async function follow(
  started: OperationJson,
  onProgress: (operation: OperationJson) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<OperationJson> {
  let last = started;
  onProgress(last);
  for await (const operation of watchOperation(started.name ?? "", signal)) {
    last = operation;
    onProgress(operation);
  }
  if (last.error) throw new Error(last.error.message);
  if (!last.done) throw new Error("The connection was lost. Look at the operations.");
  return last;
}
