import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { OperationMetadataSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { unpack } from "../../client/host-error.js";

/** Returns how long an operation took, in microseconds; 0 if it is not done. */
export function durationOf({ metadata }: Operation): bigint {
  const details = unpack(metadata, OperationMetadataSchema);
  return details?.endTimeMicros === undefined
    ? 0n
    : details.endTimeMicros - details.startTimeMicros;
}

/** Formats the warnings of a result as lines. */
export const warningsOf = (warnings: readonly string[]): string[] =>
  warnings.map((warning) => `Warning: ${warning}`);
