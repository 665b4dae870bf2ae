import { ErrorInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import {
  ClientError,
  Status as Code,
  type ClientMiddleware,
  type Metadata,
} from "nice-grpc-common";

const errorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";

/** What a host, or this client, has to say of a call that failed. */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError";

  constructor(
    message: string,
    /** The canonical code, for example 5 for NOT_FOUND. */
    readonly code: Code,
    /** The stable reason, for example DOCUMENT_NOT_FOUND; docs/errors.md of the host explains each. Empty where it was not the host that failed. */
    readonly reason: string = "",
    /** Names and values that a program can act on. */
    readonly metadata: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The name of the code, for example NOT_FOUND. */
  get codeName(): string {
    return Code[this.code];
  }
}

/** A google.rpc.Status, as an operation or the trailer of a call carries it. */
export function errorOfStatus({ code, message, details }: Status, cause?: unknown): HoldfastError {
  const info = details.find(({ typeUrl }) => typeUrl === errorInfoType);
  const { reason, metadata } = info ? ErrorInfo.decode(info.value) : { reason: "", metadata: {} };
  return new HoldfastError(message, code, reason, metadata, { cause });
}

/** Makes a HoldfastError of each error of a call. */
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

/** Reasons with which a host asks to come again. */
const passing = new Set([
  "QUEUE_FULL",
  "INDEX_RESTORING",
  "INDEX_CLOSED",
  "SHUTTING_DOWN",
  "STREAM_IDLE",
]);
/** What calls end with when it was not the host that ended them. */
const cut = new Set<Code>([
  Code.UNAVAILABLE,
  Code.UNKNOWN,
  Code.INTERNAL,
  Code.CANCELLED,
  Code.DEADLINE_EXCEEDED,
]);

/** Whether the same may succeed when it is tried again: the connection broke, or the host is busy or starting. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof HoldfastError &&
    (error.reason === "" ? cut.has(error.code) : passing.has(error.reason))
  );
}
