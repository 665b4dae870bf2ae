import { ErrorInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import {
  ClientError,
  Status as Code,
  type ClientMiddleware,
  type Metadata,
} from "nice-grpc-common";

const errorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";

/** Error of a failed call or operation, from the host or from this client. */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError";

  constructor(
    message: string,
    /** Canonical code, for example 5 for NOT_FOUND. */
    readonly code: Code,
    /** Stable reason, for example DOCUMENT_NOT_FOUND; docs/errors.md of the host lists all. Empty if the error is not from the host. */
    readonly reason: string = "",
    /** Details for programs. */
    readonly metadata: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Name of the code, for example NOT_FOUND. */
  get codeName(): string {
    return Code[this.code];
  }
}

/** Converts a google.rpc.Status, of an operation or of the trailer of a call. */
export function errorOfStatus({ code, message, details }: Status, cause?: unknown): HoldfastError {
  const info = details.find(({ typeUrl }) => typeUrl === errorInfoType);
  const { reason, metadata } = info ? ErrorInfo.decode(info.value) : { reason: "", metadata: {} };
  return new HoldfastError(message, code, reason, metadata, { cause });
}

/** Converts each error of a call to a HoldfastError. */
export const errorMiddleware: ClientMiddleware = async function* (call, options) {
  let trailer: Metadata | undefined;
  const onTrailer = (received: Metadata) => {
    trailer = received;
    options.onTrailer?.(received);
  };
  try {
    return yield* call.next(call.request, { ...options, onTrailer });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const details = trailer?.get("grpc-status-details-bin");
    throw details
      ? errorOfStatus(Status.decode(details), error)
      : new HoldfastError(error.details, error.code, "", {}, { cause: error });
  }
};

/** Reasons of transient failures of a host. */
const passing = new Set([
  "QUEUE_FULL",
  "INDEX_RESTORING",
  "INDEX_CLOSED",
  "SHUTTING_DOWN",
  "STREAM_IDLE",
]);
/** Codes of calls that the connection ended, not the host. */
const cut = new Set<Code>([
  Code.UNAVAILABLE,
  Code.UNKNOWN,
  Code.INTERNAL,
  Code.CANCELLED,
  Code.DEADLINE_EXCEEDED,
]);

/** Whether a retry may succeed soon: the connection broke, or the host is busy or starting. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof HoldfastError &&
    (error.reason === "" ? cut.has(error.code) : passing.has(error.reason))
  );
}
