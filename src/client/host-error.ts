import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, type ErrorInfo } from "../../gen/ts/google/rpc/error_details_pb.js";
import type { Status } from "../../gen/ts/google/rpc/status_pb.js";
import { HostError, reasons, type Reason } from "../errors.js";

/**
 * Converts the error of a failed call to a HostError; returns undefined if no host answered the
 * call.
 */
export function hostErrorOfCall(thrown: unknown): HostError | undefined {
  if (!(thrown instanceof ConnectError)) return HostError.from(thrown);
  // The in-process transport passes the original error as the cause.
  if (thrown.cause instanceof HostError) return thrown.cause;
  const [info] = thrown.findDetails(ErrorInfoSchema);
  if (info) return fromInfo(info, thrown.rawMessage);
  return thrown.code === Code.Unimplemented
    ? new HostError(
        "NOT_SUPPORTED",
        `The host does not support this request (${thrown.rawMessage}). Use a command of the same release as the host.`,
      )
    : undefined;
}

/** Converts the status of a failed operation to a HostError. */
export function hostErrorOfStatus({ message, details }: Status): HostError {
  const info = details.map((one) => unpack(one, ErrorInfoSchema)).find((one) => one !== undefined);
  return info ? fromInfo(info, message) : new HostError("INTERNAL", message);
}

/** Unpacks an Any; returns undefined if it is unset or has another type. */
export function unpack<Desc extends DescMessage>(
  any: Any | undefined,
  schema: Desc,
): MessageShape<Desc> | undefined {
  return any && anyUnpack(any, schema);
}

function fromInfo({ reason, metadata }: ErrorInfo, message: string): HostError {
  if (Object.hasOwn(reasons, reason)) return new HostError(reason as Reason, message, { metadata });
  return new HostError("INTERNAL", `${message} (unknown reason ${reason})`, {
    metadata,
  });
}
