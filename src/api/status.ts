import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { codeNumbers, HostError, causeToLog, type Reason } from "../errors.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "../../gen/ts/google/rpc/status_pb.js";
import { RequestViolations } from "./policy/violations.js";

/** Domain of each google.rpc.ErrorInfo sent by the host. */
const errorDomain = "holdfast";

/**
 * Called with an internal error, whose details are hidden from the caller, to write it to the log.
 */
export type OnInternalError = (error: unknown) => void;

/** Messages and details are sent in headers, which gRPC clients limit to 16 KiB by default. */
const maxMessageCharacters = 2048;

/** Reasons for errors thrown by Connect itself. */
const connectReasons: Partial<Record<ConnectCode, Reason>> = {
  [ConnectCode.Canceled]: "OPERATION_CANCELLED",
  [ConnectCode.DeadlineExceeded]: "DEADLINE",
  [ConnectCode.InvalidArgument]: "REQUEST_INVALID",
  [ConnectCode.ResourceExhausted]: "BODY_TOO_LARGE",
  [ConnectCode.Unimplemented]: "NOT_SUPPORTED",
};

/**
 * Converts any thrown value to a HostError. Unknown errors become INTERNAL without their message
 * and are reported.
 */
export function hostErrorOf(given: unknown, onInternalError?: OnInternalError): HostError {
  const thrown = reasonOfAbort(given);
  const reason = thrown instanceof ConnectError ? connectReasons[thrown.code] : undefined;
  const error =
    reason && thrown instanceof ConnectError
      ? new HostError(reason, thrown.rawMessage, { cause: thrown })
      : HostError.from(thrown);
  const untold = causeToLog(error);
  if (untold !== undefined) onInternalError?.(untold);
  return error;
}

/**
 * Returns the cause of an AbortError, which timers and other APIs throw instead of the reason of
 * their signal.
 */
function reasonOfAbort(thrown: unknown): unknown {
  if (
    typeof thrown !== "object" ||
    thrown === null ||
    !("name" in thrown) ||
    thrown.name !== "AbortError"
  )
    return thrown;
  return "cause" in thrown && thrown.cause instanceof ConnectError ? thrown.cause : thrown;
}

interface Detail<Desc extends DescMessage = DescMessage> {
  desc: Desc;
  value: MessageInitShape<Desc>;
}

/**
 * Returns the machine-readable details: the stable reason with its metadata, and field violations.
 */
function detailsOf(error: HostError): Detail[] {
  const info: Detail<typeof ErrorInfoSchema> = {
    desc: ErrorInfoSchema,
    value: { reason: error.reason, domain: errorDomain, metadata: error.metadata },
  };
  if (!(error.cause instanceof RequestViolations)) return [info];
  const badRequest: Detail<typeof BadRequestSchema> = {
    desc: BadRequestSchema,
    value: {
      fieldViolations: error.cause.violations.map(({ field, description, rule }) => ({
        field,
        description,
        reason: rule,
      })),
    },
  };
  return [info, badRequest];
}

function messageOf(error: HostError): string {
  return error.message.length <= maxMessageCharacters
    ? error.message
    : `${error.message.slice(0, maxMessageCharacters)}…`;
}

/**
 * Converts an error to google.rpc.Status, as used in REST responses, gRPC details and operations.
 */
export function statusOf(error: HostError): Status {
  return create(StatusSchema, {
    code: codeNumbers[error.code],
    message: messageOf(error),
    details: detailsOf(error).map(({ desc, value }) => anyPack(desc, create(desc, value))),
  });
}

/** Converts an error to a ConnectError with the same code and details. */
export function connectErrorOf(error: HostError): ConnectError {
  return new ConnectError(
    messageOf(error),
    codeNumbers[error.code],
    undefined,
    detailsOf(error),
    error,
  );
}
