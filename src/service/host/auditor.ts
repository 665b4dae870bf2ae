import { HostError, type Reason } from "../../errors.js";
import { tokenNameOf, type Caller } from "../../security/caller.js";
import type { TokenTable } from "../../security/tokens.js";
import type { AuditEntry, AuditLog } from "./audit-log.js";
import type { OperationView } from "../../operation/operation.js";

/** An audited action: the name of the RPC and the subject it applies to, without secrets. */
export interface AuditEvent {
  action: string;
  subject?: string | undefined;
}

/** Records actions of callers and rejected attempts in the audit log. */
export interface Auditor {
  /**
   * Runs the work and records its outcome before returning. `operationOf` returns the name of the
   * started operation, if any.
   */
  during<T>(
    caller: Caller,
    event: AuditEvent,
    work: () => Promise<T>,
    operationOf?: (result: T) => string | undefined,
  ): Promise<T>;
  /**
   * Passes a response stream through and records its outcome: OPERATION_CANCELLED if it is not read
   * to the end. The event may be completed meanwhile.
   */
  stream<T>(caller: Caller, event: AuditEvent, answers: AsyncIterable<T>): AsyncGenerator<T>;
  /** Records the outcome of an action: an error or success. */
  record(caller: Caller, event: AuditEvent, thrown?: unknown, operation?: string): Promise<void>;
  /** Records that a caller was not allowed to perform an action. */
  refused(caller: Caller, event: AuditEvent, error: HostError): void;
}

const rejections: ReadonlySet<Reason> = new Set([
  "TOKEN_MISSING",
  "TOKEN_UNKNOWN",
  "TOKEN_EXPIRED",
  "ROLE_MISSING",
  "INDEX_NOT_ALLOWED",
]);

/**
 * Returns the entry for the end of an operation. An earlier entry identifies the caller that
 * started it.
 */
export function operationEntry({
  name,
  kind,
  indexLink,
  target,
  error,
}: OperationView): AuditEntry {
  return {
    action: "operation",
    outcome: error?.reason ?? "OK",
    subject: [kind, indexLink, target].filter((text) => text !== "").join(" "),
    operation: name,
  };
}

/** Creates an auditor. `tokens` resolves the names of tokens. */
export function createAuditor(log: AuditLog, tokens: TokenTable | undefined): Auditor {
  const callerFields = (caller: Caller) => ({
    token: tokenNameOf(tokens, caller),
    address: caller.address,
    via: caller.via,
  });

  async function record(
    caller: Caller,
    event: AuditEvent,
    thrown?: unknown,
    operation?: string,
  ): Promise<void> {
    const error = thrown === undefined ? undefined : HostError.from(thrown);
    // Rejected attempts are recorded by `refused`.
    if (error !== undefined && rejections.has(error.reason)) return;
    await log.record({
      ...event,
      outcome: error?.reason ?? "OK",
      ...callerFields(caller),
      operation,
    });
  }

  return {
    async during(caller, event, work, operationOf = () => undefined) {
      try {
        const result = await work();
        await record(caller, event, undefined, operationOf(result));
        return result;
      } catch (thrown) {
        await record(caller, event, thrown);
        throw thrown;
      }
    },
    async *stream(caller, event, answers) {
      let thrown: unknown = new HostError("OPERATION_CANCELLED", "The client disconnected.");
      try {
        yield* answers;
        thrown = undefined;
      } catch (error) {
        thrown = error;
        throw error;
      } finally {
        await record(caller, event, thrown);
      }
    },
    record,
    refused(caller, event, error) {
      log.refused({ ...event, outcome: error.reason, ...callerFields(caller) });
    },
  };
}
