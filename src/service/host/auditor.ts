import { HostError, type Reason } from "../../errors.js";
import { tokenNameOf, type Caller } from "../../security/caller.js";
import type { TokenTable } from "../../security/tokens.js";
import type { AuditEntry, AuditLog } from "./audit-log.js";
import type { OperationView } from "../backups/management-service.js";

/** What is done, as the audit log calls it: the name of the RPC, and what it is done to. No secrets. */
export interface Deed {
  action: string;
  subject?: string | undefined;
}

/** Writes down what callers do and what they are refused. */
export interface Auditor {
  /** Does the work and records how it ended, before the answer goes out. `operationOf` finds the operation that was started. */
  during<T>(
    caller: Caller,
    deed: Deed,
    work: () => Promise<T>,
    operationOf?: (result: T) => string | undefined,
  ): Promise<T>;
  /** Hands on what a stream answers and records how it ended; one that is not read to its end was left by its caller. The deed may be filled in meanwhile. */
  stream<T>(caller: Caller, deed: Deed, answers: AsyncIterable<T>): AsyncGenerator<T>;
  /** The same for what ends in another way: with what was thrown, or well. */
  ended(caller: Caller, deed: Deed, thrown?: unknown, operation?: string): Promise<void>;
  /** A caller may not do it. */
  refused(caller: Caller, deed: Deed, error: HostError): void;
}

const refusals: ReadonlySet<Reason> = new Set([
  "TOKEN_MISSING",
  "TOKEN_UNKNOWN",
  "TOKEN_EXPIRED",
  "ROLE_MISSING",
  "INDEX_NOT_ALLOWED",
]);

/** The line that says how an operation ended; who had started it is in an earlier one. */
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

export function createAuditor(log: AuditLog, tokens: TokenTable | undefined): Auditor {
  const who = (caller: Caller) => ({
    token: tokenNameOf(tokens, caller),
    address: caller.address,
    via: caller.via,
  });

  async function ended(
    caller: Caller,
    deed: Deed,
    thrown?: unknown,
    operation?: string,
  ): Promise<void> {
    const error = thrown === undefined ? undefined : HostError.from(thrown);
    // Refusals are recorded where they are made.
    if (error !== undefined && refusals.has(error.reason)) return;
    await log.record({ ...deed, outcome: error?.reason ?? "OK", ...who(caller), operation });
  }

  return {
    async during(caller, deed, work, operationOf = () => undefined) {
      try {
        const result = await work();
        await ended(caller, deed, undefined, operationOf(result));
        return result;
      } catch (thrown) {
        await ended(caller, deed, thrown);
        throw thrown;
      }
    },
    async *stream(caller, deed, answers) {
      let thrown: unknown = new HostError("OPERATION_CANCELLED", "The caller left.");
      try {
        yield* answers;
        thrown = undefined;
      } catch (error) {
        thrown = error;
        throw error;
      } finally {
        await ended(caller, deed, thrown);
      }
    },
    ended,
    refused(caller, deed, error) {
      log.refused({ ...deed, outcome: error.reason, ...who(caller) });
    },
  };
}
