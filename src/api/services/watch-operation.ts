import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { limits } from "../../limits.js";
import type { OperationService, OperationView } from "../../operation/operation.js";
import { toOperation, type OperationConversion } from "../convert/operation.js";

/** Yields an operation now and after each change, until it is done. */
export async function* watchOperation(
  operations: OperationService,
  name: string,
  conversion: OperationConversion,
  signal: AbortSignal,
): AsyncGenerator<Operation> {
  let seen = "";
  for (;;) {
    const view = operations.get(name);
    const state = stateOf(view);
    if (state !== seen) yield toOperation(view, conversion);
    seen = state;
    if (view.done) return;
    await operations.wait(name, limits.operationPollMs, signal);
    signal.throwIfAborted();
  }
}

const stateOf = ({ done, progress }: OperationView) => JSON.stringify([done, progress]);
