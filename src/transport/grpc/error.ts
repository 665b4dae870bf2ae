import { toBinary } from "@bufbuild/protobuf";
import type { Metadata, ServiceError } from "@grpc/grpc-js";
import { codeNumbers, type HostError } from "../../errors.js";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { statusOf } from "../../api/status.js";
import { asBuffer } from "./metadata.js";

/** Converts an error into a grpc-js error with google.rpc.Status in its trailers. */
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
