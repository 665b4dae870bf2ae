import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { watchOperation } from "./host.js";
import { ApiError, errorOf } from "./request.js";

const connectionBroke =
  "The connection broke. What was begun goes on, or ends completely or not at all if the host has stopped: look at the operations.";

/** Follows an operation to its end. Throws its error, or that the connection was lost. */
export async function follow(
  started: OperationJson,
  onProgress: (operation: OperationJson) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<OperationJson> {
  let last = started;
  onProgress(last);
  try {
    for await (const operation of watchOperation(started.name ?? "", signal)) {
      last = operation;
      onProgress(operation);
    }
  } catch (thrown) {
    if (signal.aborted || thrown instanceof ApiError) throw thrown;
    throw new Error(connectionBroke);
  }
  if (last.error) throw errorOf(last.error, 200);
  if (!last.done) throw new Error(connectionBroke);
  return last;
}
