import type { OperationView } from "../../operation/operation.js";

/** Summary of an ended operation for logs and metrics. */
export interface OperationOutcome {
  outcome: "done" | "failed" | "cancelled";
  seconds: number;
  /** Bytes written by a backup, or read by a check or restore. */
  bytes: number;
  records: number;
}

/** Summarizes an ended operation. */
export function operationOutcome({
  startTimeMicros,
  endTimeMicros = startTimeMicros,
  error,
  result,
  progress,
}: OperationView): OperationOutcome {
  const bytes =
    result && "bytesWritten" in result
      ? result.bytesWritten
      : result && "bytes" in result
        ? result.bytes
        : progress.bytesDone;
  const records = result && "records" in result ? result.records : progress.documentsDone;
  return {
    outcome:
      error === undefined
        ? "done"
        : error.reason === "OPERATION_CANCELLED"
          ? "cancelled"
          : "failed",
    seconds: (endTimeMicros - startTimeMicros) / 1_000_000,
    bytes,
    records,
  };
}
