import type { Interceptor } from "@connectrpc/connect";
import { authorizationInterceptor, type Authorize } from "./authorization.js";
import { heldAnswerInterceptor } from "./held-answer.js";
import { createValidate, validationInterceptor, type Validate } from "./validation.js";

/** Checks that every transport applies before a method runs. */
export interface CallChecks {
  /** If omitted, authorization is disabled. */
  authorize?: Authorize;
  /** Default: a new validator. A shared one compiles its rules only once. */
  validate?: Validate;
  /** Records calls in the audit log. If omitted, auditing is disabled. */
  audit?: Interceptor | undefined;
  /**
   * Enforces tokens that are limited to certain indexes. If omitted, every token is valid for all
   * indexes.
   */
  indexes?: Interceptor | undefined;
  /** Charges operations and streams to their clients. If omitted, they are not limited. */
  share?: Interceptor | undefined;
}

/** Returns the interceptors for the checks, in the order in which they run. */
export function checkInterceptors(checks: CallChecks): Interceptor[] {
  const validation = validationInterceptor(checks.validate ?? createValidate());
  return [
    ...(checks.authorize ? [authorizationInterceptor(checks.authorize)] : []),
    ...(checks.audit ? [checks.audit] : []),
    validation,
    ...(checks.indexes ? [checks.indexes] : []),
    ...(checks.share ? [checks.share] : []),
    heldAnswerInterceptor,
  ];
}
