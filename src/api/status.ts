import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { codeNumbers, HostError, causeToLog, type Reason } from "../errors.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "../../gen/ts/google/rpc/status_pb.js";
import { RequestViolations } from "./policy/violations.js";

/** The domain of every google.rpc.ErrorInfo that the host sends. */
const errorDomain = "holdfast";

/** An error that the host cannot explain to its caller; whoever is given it writes it to the log. */
export type OnInternalError = (error: unknown) => void;

/** Messages and details travel in headers, of which gRPC clients take 16 KiB by default. */
const maxMessageCharacters = 2048;

/** What Connect itself throws, in our terms. */
const connectReasons: Partial<Record<ConnectCode, Reason>> = {
  [ConnectCode.Canceled]: "OPERATION_CANCELLED",
  [ConnectCode.DeadlineExceeded]: "DEADLINE",
  [ConnectCode.InvalidArgument]: "REQUEST_INVALID",
  [ConnectCode.ResourceExhausted]: "BODY_TOO_LARGE",
  [ConnectCode.Unimplemented]: "NOT_SUPPORTED",
};

/** Any thrown value as a HostError; what is none and not Connect's becomes INTERNAL without its text. */
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

/** Timers and others reject with an error of their own when a signal aborts; why it did is that error's cause. */
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

/** What a program can act on: the stable reason with its names and values, and the fields that were wrong. */
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

/** An error as google.rpc.Status: the body of an error on REST, the details of one on gRPC, the error of an operation. */
export function statusOf(error: HostError): Status {
  return create(StatusSchema, {
    code: codeNumbers[error.code],
    message: messageOf(error),
    details: detailsOf(error).map(({ desc, value }) => anyPack(desc, create(desc, value))),
  });
}

/** The same for Connect's server. */
export function connectErrorOf(error: HostError): ConnectError {
  return new ConnectError(
    messageOf(error),
    codeNumbers[error.code],
    undefined,
    detailsOf(error),
    error,
  );
}
