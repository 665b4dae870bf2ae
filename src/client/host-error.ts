import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, type ErrorInfo } from "../../gen/ts/google/rpc/error_details_pb.js";
import type { Status } from "../../gen/ts/google/rpc/status_pb.js";
import { HostError, reasons, type Reason } from "../errors.js";

/** What a host said of a call that failed; undefined for a call that no host has answered. */
export function hostErrorOfCall(thrown: unknown): HostError | undefined {
  if (!(thrown instanceof ConnectError)) return HostError.from(thrown);
  // In this process the error itself comes along.
  if (thrown.cause instanceof HostError) return thrown.cause;
  const [info] = thrown.findDetails(ErrorInfoSchema);
  if (info) return fromInfo(info, thrown.rawMessage);
  return thrown.code === Code.Unimplemented
    ? new HostError(
        "NOT_SUPPORTED",
        `The host does not know this request (${thrown.rawMessage}): it is of another release than this command.`,
      )
    : undefined;
}

/** The error of an operation. */
export function hostErrorOfStatus({ message, details }: Status): HostError {
  const info = details.map((one) => unpack(one, ErrorInfoSchema)).find((one) => one !== undefined);
  return info ? fromInfo(info, message) : new HostError("INTERNAL", message);
}

/** The message in an Any, if it is of this kind. */
export function unpack<Desc extends DescMessage>(
  any: Any | undefined,
  schema: Desc,
): MessageShape<Desc> | undefined {
  return any && anyUnpack(any, schema);
}

function fromInfo({ reason, metadata }: ErrorInfo, message: string): HostError {
  if (Object.hasOwn(reasons, reason)) return new HostError(reason as Reason, message, { metadata });
  return new HostError("INTERNAL", `${message} (${reason}, which this release does not know)`, {
    metadata,
  });
}
