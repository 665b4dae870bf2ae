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

/** The messages that may lie in an Any of a host's answers. */
export const answerRegistry = createRegistry(
  file_google_longrunning_operations,
  file_google_rpc_error_details,
  file_holdfast_document_v1_document,
  file_holdfast_management_v1_management,
);

/** The proto3 JSON of a message; fields that have their default are left out. */
export function messageJson<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): JsonValue {
  return toJson(schema, message, { registry: answerRegistry });
}
