import {
  createRegistry,
  toJson,
  type DescMessage,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { file_google_longrunning_operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { file_google_rpc_error_details } from "../../gen/ts/google/rpc/error_details_pb.js";
import { file_holdfast_document_v1_document } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { file_holdfast_management_v1_management } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { file_holdfast_management_v1_policy } from "../../gen/ts/holdfast/management/v1/policy_pb.js";

/** Message types that responses of a host may contain in an Any. */
export const answerRegistry = createRegistry(
  file_google_longrunning_operations,
  file_google_rpc_error_details,
  file_holdfast_document_v1_document,
  file_holdfast_management_v1_management,
  file_holdfast_management_v1_policy,
);

/** Converts a message to proto3 JSON; omits fields with default values. */
export function messageJson<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): JsonValue {
  return toJson(schema, message, { registry: answerRegistry });
}
