import type { Interceptor } from "@connectrpc/connect";
import { authorizationInterceptor, type Authorize } from "./authorization.js";
import { createValidate, validationInterceptor, type Validate } from "./validation.js";

/** What every transport asks of a call before the method runs. */
export interface CallChecks {
  /** Absent: everybody may call everything. */
  authorize?: Authorize;
  /** Absent: a validator of its own. One that is shared compiles its rules once. */
  validate?: Validate;
  /** Writes down what callers do. Absent: nothing is written down. */
  audit?: Interceptor | undefined;
  /** Keeps tokens that are for some indexes to those. Absent: every token is for all. */
  indexes?: Interceptor | undefined;
  /** Counts what calls start as their clients'. Absent: nothing is counted. */
  share?: Interceptor | undefined;
}

export function checkInterceptors(checks: CallChecks): Interceptor[] {
  const validation = validationInterceptor(checks.validate ?? createValidate());
  return [
    ...(checks.authorize ? [authorizationInterceptor(checks.authorize)] : []),
    ...(checks.audit ? [checks.audit] : []),
    validation,
    ...(checks.indexes ? [checks.indexes] : []),
    ...(checks.share ? [checks.share] : []),
  ];
}
