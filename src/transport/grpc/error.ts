import { toBinary } from "@bufbuild/protobuf";
import type { Metadata, ServiceError } from "@grpc/grpc-js";
import { codeNumbers, type HostError } from "../../errors.js";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { statusOf } from "../../api/status.js";
import { asBuffer } from "./metadata.js";

/** An error with its google.rpc.Status, as grpc-js sends it at the end of a call. */
export function serviceErrorOf(error: HostError, trailers: Metadata): ServiceError {
  const status = statusOf(error);
  trailers.set("grpc-status-details-bin", asBuffer(toBinary(StatusSchema, status)));
  return Object.assign(new Error(status.message), {
    name: "ServiceError",
    code: codeNumbers[error.code],
    details: status.message,
    metadata: trailers,
  });
}
