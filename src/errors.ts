/**
 * Defines HostError, the error type that every module reports. It carries a stable reason, the
 * canonical code of that reason, and a message that says what failed, where, and what to do next.
 */

/** Canonical codes of google.rpc.Code and their gRPC numbers. */
export const codeNumbers = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
/** Name of a canonical code. */
export type Code = keyof typeof codeNumbers;

/** Maps each stable reason to its canonical code. docs/errors.md describes every reason. */
export const reasons = {
  // requests
  REQUEST_INVALID: "INVALID_ARGUMENT",
  JSON_INVALID: "INVALID_ARGUMENT",
  LINK_INVALID: "INVALID_ARGUMENT",
  FILTER_INVALID: "INVALID_ARGUMENT",
  PAGE_TOKEN_INVALID: "INVALID_ARGUMENT",
  DESTINATION_INVALID: "INVALID_ARGUMENT",
  BODY_TOO_LARGE: "RESOURCE_EXHAUSTED",
  METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
  ROUTE_NOT_FOUND: "NOT_FOUND",
  NOT_SUPPORTED: "UNIMPLEMENTED",
  OVERLOADED: "UNAVAILABLE",
  HOST_HEADER_REFUSED: "PERMISSION_DENIED",
  CROSS_SITE_REFUSED: "PERMISSION_DENIED",
  // authentication and authorization
  TOKEN_MISSING: "UNAUTHENTICATED",
  TOKEN_UNKNOWN: "UNAUTHENTICATED",
  TOKEN_EXPIRED: "UNAUTHENTICATED",
  ROLE_MISSING: "PERMISSION_DENIED",
  INDEX_NOT_ALLOWED: "PERMISSION_DENIED",
  PATH_OUTSIDE_ROOTS: "PERMISSION_DENIED",
  ADDRESS_NOT_ALLOWED: "PERMISSION_DENIED",
  // documents
  DOCUMENT_NOT_FOUND: "NOT_FOUND",
  DOCUMENT_DELETED: "NOT_FOUND",
  DOCUMENT_EXISTS: "ALREADY_EXISTS",
  DOCUMENT_MARKED_DELETED: "ALREADY_EXISTS",
  VERSION_MISMATCH: "ABORTED",
  VERSION_NOT_FOUND: "NOT_FOUND",
  INDEX_NOT_FOUND: "NOT_FOUND",
  // indexes
  QUEUE_FULL: "UNAVAILABLE",
  INDEX_RESTORING: "UNAVAILABLE",
  INDEX_READ_ONLY: "UNAVAILABLE",
  INDEX_CLOSED: "UNAVAILABLE",
  INDEX_SWITCHED: "ABORTED",
  INDEX_CHANGED: "ABORTED",
  OUTCOME_UNKNOWN: "UNKNOWN",
  STORAGE_FULL: "RESOURCE_EXHAUSTED",
  STORAGE_FAILED: "UNAVAILABLE",
  DATABASE_UNAVAILABLE: "UNAVAILABLE",
  HOST_ID_IN_USE: "FAILED_PRECONDITION",
  LEADER_UNAVAILABLE: "UNAVAILABLE",
  INDEX_DAMAGED: "DATA_LOSS",
  FORMAT_TOO_NEW: "FAILED_PRECONDITION",
  DIRECTORY_IN_USE: "FAILED_PRECONDITION",
  CONFIGURATION_INVALID: "FAILED_PRECONDITION",
  // backups
  BACKUP_NOT_FOUND: "NOT_FOUND",
  BACKUP_DAMAGED: "DATA_LOSS",
  BACKUP_FOREIGN: "FAILED_PRECONDITION",
  BACKUP_FROM_XENON: "FAILED_PRECONDITION",
  BACKUP_OF_OTHER_INDEX: "FAILED_PRECONDITION",
  ENCRYPTION_REQUIRED: "FAILED_PRECONDITION",
  DESTINATION_OCCUPIED: "FAILED_PRECONDITION",
  DESTINATION_MISSING: "FAILED_PRECONDITION",
  DESTINATION_FULL: "RESOURCE_EXHAUSTED",
  DESTINATION_FAILED: "UNAVAILABLE",
  DESTINATION_BUSY: "ABORTED",
  DESTINATION_UNREACHABLE: "UNAVAILABLE",
  DESTINATION_REFUSED: "FAILED_PRECONDITION",
  SOURCE_CHANGED: "ABORTED",
  TARGET_TIME_OUT_OF_RANGE: "OUT_OF_RANGE",
  RESTORE_IN_PROGRESS: "ABORTED",
  NOTHING_TO_UNDO: "FAILED_PRECONDITION",
  UNDO_NOT_LAST: "FAILED_PRECONDITION",
  // backup policies
  POLICY_NOT_FOUND: "NOT_FOUND",
  POLICY_EXISTS: "ALREADY_EXISTS",
  POLICY_LIMIT: "RESOURCE_EXHAUSTED",
  POLICY_CHANGED: "ABORTED",
  POLICY_READ_ONLY: "FAILED_PRECONDITION",
  POLICY_BUSY: "FAILED_PRECONDITION",
  DELIVERY_NOT_FOUND: "NOT_FOUND",
  NOT_COPIED: "UNAVAILABLE",
  // encryption and signatures
  RECIPIENT_INVALID: "INVALID_ARGUMENT",
  IDENTITY_INVALID: "INVALID_ARGUMENT",
  IDENTITY_MISSING: "FAILED_PRECONDITION",
  SIGNATURE_MISSING: "FAILED_PRECONDITION",
  SIGNATURE_INVALID: "DATA_LOSS",
  SIGNER_NOT_TRUSTED: "FAILED_PRECONDITION",
  SIGNING_KEY_INVALID: "FAILED_PRECONDITION",
  TRUSTED_SIGNERS_INVALID: "INVALID_ARGUMENT",
  // transfers and streams
  TRANSFER_NOT_FOUND: "NOT_FOUND",
  TRANSFER_OFFSET: "ABORTED",
  TRANSFER_DAMAGED: "DATA_LOSS",
  TRANSFER_INCOMPLETE: "FAILED_PRECONDITION",
  TRANSFER_TAKEN_OVER: "ABORTED",
  TRANSFER_LIMIT: "RESOURCE_EXHAUSTED",
  UPLOAD_CONFLICT: "ABORTED",
  RANGE_NOT_SATISFIABLE: "OUT_OF_RANGE",
  STREAM_IDLE: "DEADLINE_EXCEEDED",
  STREAM_LIMIT: "RESOURCE_EXHAUSTED",
  // operations
  OPERATION_NOT_FOUND: "NOT_FOUND",
  OPERATION_RUNNING: "FAILED_PRECONDITION",
  OPERATION_INTERRUPTED: "ABORTED",
  OPERATION_CANCELLED: "CANCELLED",
  OPERATION_LIMIT: "RESOURCE_EXHAUSTED",
  DEADLINE: "DEADLINE_EXCEEDED",
  QUERY_LIMIT: "RESOURCE_EXHAUSTED",
  SHUTTING_DOWN: "UNAVAILABLE",
  // the command line
  HOST_UNREACHABLE: "UNAVAILABLE",
  CONFIRMATION_NEEDED: "INVALID_ARGUMENT",
  INTERNAL: "INTERNAL",
} as const satisfies Record<string, Code>;
/** Stable, machine-readable identifier of a failure. */
export type Reason = keyof typeof reasons;

/** Optional details of a HostError. */
export interface HostErrorDetails {
  /** Values that a program can act on. Must not contain secrets. Default: empty. */
  metadata?: Record<string, string>;
  /** Original error, for the log only; not sent to clients. */
  cause?: unknown;
}

/** Serialized HostError for crossing a thread or process boundary. Omits the cause. */
export interface HostErrorRecord {
  reason: Reason;
  message: string;
  metadata: Record<string, string>;
}

/** Failure with a stable reason, a message for the user, and metadata for programs. */
export class HostError extends Error {
  readonly reason: Reason;
  readonly metadata: Record<string, string>;

  constructor(reason: Reason, message: string, details: HostErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "HostError";
    this.reason = reason;
    this.metadata = details.metadata ?? {};
  }

  /** Canonical code of the reason. */
  get code(): Code {
    return reasons[this.reason];
  }

  /** Whether the same request can succeed if retried later, unchanged. */
  get retryable(): boolean {
    return (
      this.code === "UNAVAILABLE" ||
      this.reason === "STORAGE_FULL" ||
      this.reason === "DESTINATION_FULL"
    );
  }

  /** Returns the same error of a field of the request, which its message and metadata name. */
  inField(field: string): HostError {
    const metadata = { ...this.metadata, field };
    return new HostError(this.reason, `${field}: ${this.message}`, { metadata, cause: this });
  }

  /** Serializes the error without its cause. */
  toRecord(): HostErrorRecord {
    return { reason: this.reason, message: this.message, metadata: this.metadata };
  }

  /** Recreates an error from its serialized form. */
  static fromRecord(record: HostErrorRecord): HostError {
    return new HostError(record.reason, record.message, { metadata: record.metadata });
  }

  /**
   * Converts any thrown value to a HostError. File system errors become STORAGE_FULL or
   * STORAGE_FAILED, aborts OPERATION_CANCELLED, and other errors INTERNAL. Text of the original
   * error is left out of the message because it may contain secrets.
   */
  static from(thrown: unknown): HostError {
    if (thrown instanceof HostError) return thrown;
    // An abort reason is a DOMException, but timers reject with an error of their own that carries
    // the reason as its cause. Both have this name.
    if (
      typeof thrown === "object" &&
      thrown !== null &&
      "name" in thrown &&
      thrown.name === "AbortError"
    ) {
      return "cause" in thrown && thrown.cause instanceof HostError
        ? thrown.cause
        : new HostError("OPERATION_CANCELLED", "Operation cancelled", { cause: thrown });
    }
    const fileError = fileSystemError(thrown);
    if (fileError !== undefined) {
      const { code, syscall } = fileError;
      const details = { cause: thrown, metadata: { errno: code, syscall } };
      return diskFullCodes.has(code)
        ? new HostError(
            "STORAGE_FULL",
            `Disk full on the host (${code} in ${syscall}). Find the path in the host log, free space, and retry.`,
            details,
          )
        : new HostError(
            "STORAGE_FAILED",
            `Cannot access a file or directory on the host (${code} in ${syscall}). Find the path in the host log; check that it exists, its owner and mode, and the disk.`,
            details,
          );
    }
    return new HostError("INTERNAL", "Internal error; see the host log", { cause: thrown });
  }
}

// Bundlers may rename the class; stack traces must still show HostError.
Object.defineProperty(HostError, "name", { value: "HostError" });

const diskFullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** Matches the syscall of a node:fs error. Other syscalls, such as connect, do not involve files. */
const fileSyscalls =
  /^(f?open|close|read|write|f(data)?sync|rename|unlink|link|symlink|readlink|rm(dir)?|mkdir|mkdtemp|scandir|readdir|opendir|[fl]?stat(fs)?|access|f?truncate|[fl]?ch(mod|own)|realpath|utime|copyfile)$/;

/** Returns the errno and syscall of a node:fs error, or undefined for any other value. */
function fileSystemError(thrown: unknown): { code: string; syscall: string } | undefined {
  if (
    typeof thrown !== "object" ||
    thrown === null ||
    !("code" in thrown) ||
    !("syscall" in thrown)
  )
    return undefined;
  const { code, syscall } = thrown;
  return typeof code === "string" &&
    /^E[A-Z0-9]+$/.test(code) &&
    typeof syscall === "string" &&
    fileSyscalls.test(syscall)
    ? { code, syscall }
    : undefined;
}

/**
 * Returns the part of an error to log because the client does not receive it, or undefined if the
 * error sent to the client is complete.
 */
export function causeToLog(error: HostError): unknown {
  return error.code === "INTERNAL" || error.metadata["syscall"] !== undefined
    ? (error.cause ?? error)
    : undefined;
}

const httpStatusByCode: Record<Code, number> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** HTTP status of an error on /v1. The Xenon dialect uses it unless it defines its own status. */
export function httpStatus(error: HostError): number {
  if (error.reason === "BODY_TOO_LARGE") return 413;
  if (error.reason === "METHOD_NOT_ALLOWED") return 405;
  if (error.reason === "RANGE_NOT_SATISFIABLE") return 416;
  if (error.reason === "DESTINATION_REFUSED") return 502;
  if (error.reason === "STORAGE_FULL" || error.reason === "DESTINATION_FULL") return 507;
  return httpStatusByCode[error.code];
}

/** Exit code of a command that failed with this error: 64 or above, grouped as in sysexits.h. */
export function exitCode(error: HostError): number {
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "OUT_OF_RANGE":
      return 64;
    case "DATA_LOSS":
      return 65;
    case "NOT_FOUND":
      return 66;
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
      return 69;
    case "RESOURCE_EXHAUSTED":
      return 73;
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
      return 77;
    case "FAILED_PRECONDITION":
      return 78;
    default:
      return 70;
  }
}
