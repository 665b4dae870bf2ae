import { HostError } from "../errors.js";
import type { Caller } from "./caller.js";
import { authorize, type RequiredRoles } from "./roles.js";
import type { TokenTable } from "./tokens.js";

/**
 * Throws TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_EXPIRED or ROLE_MISSING unless the caller may act in the role. `action` says what it is
 * that is asked for, as the audit log calls it. See authorize.
 */
export type CheckAccess = (caller: Caller, action: string, required?: RequiredRoles) => void;

/** The one place where callers are let in or refused; `onRefused` hears of each refusal. */
export function createAccess(tokens: TokenTable | undefined, onRefused: (caller: Caller, action: string, error: HostError) => void): CheckAccess {
  if (tokens === undefined) return () => undefined;
  return (caller, action, required) => {
    try {
      authorize(tokens, caller.bearerToken, required);
    } catch (thrown) {
      if (thrown instanceof HostError) onRefused(caller, action, thrown);
      throw thrown;
    }
  };
}
