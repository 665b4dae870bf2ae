import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { OperationMetadataSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { unpack } from "../../client/host-error.js";

/** How long an operation took, in microseconds. */
export function durationOf({ metadata }: Operation): bigint {
  const found = unpack(metadata, OperationMetadataSchema);
  return found?.endTimeMicros === undefined ? 0n : found.endTimeMicros - found.startTimeMicros;
}

export const warningsOf = (warnings: readonly string[]): string[] =>
  warnings.map((warning) => `Warning: ${warning}`);
