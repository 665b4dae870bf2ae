import type { OperationView } from "../backups/management-service.js";

/** What an operation that has ended came to, for the log and the metrics. */
export interface OperationOutcome {
  outcome: "done" | "failed" | "cancelled";
  seconds: number;
  /** What a backup wrote, a check read; of a restore what it went through. */
  bytes: number;
  records: number;
}

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
