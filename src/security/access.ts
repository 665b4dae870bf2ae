import { HostError } from "../errors.js";
import type { Caller } from "./caller.js";
import { authorize } from "./authorize.js";
import type { RequiredRoles, Role } from "./roles.js";
import type { TokenTable } from "./tokens.js";

/** What a caller may do. */
export interface Grant {
  /** Name of the token. Empty: the host has no tokens. */
  tokenName: string;
  roles: readonly Role[];
  /** Indexes that the token is limited to. Absent: all. */
  indexes?: ReadonlySet<string>;
}

/** The grant of a host without tokens. */
export const openGrant: Grant = { tokenName: "", roles: ["admin"] };

/** Authorization of callers. `action` is the name of the action in the audit log. */
export interface Access {
  /** Whether requests require a token. */
  readonly withTokens: boolean;
  /**
   * Throws TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_EXPIRED or ROLE_MISSING unless the caller has the
   * role; see authorize.
   */
  requireRole(caller: Caller, action: string, required?: RequiredRoles): void;
  /**
   * Throws INDEX_NOT_ALLOWED unless the caller's token is valid for all of these indexes. Pass
   * undefined for an action that does not apply to a single index, or whose index is not known in
   * advance; tokens limited to certain indexes may not perform it.
   */
  requireIndexes(caller: Caller, action: string, links: readonly string[] | undefined): void;
  /** Whether any token is limited to certain indexes. */
  limitsIndexes(): boolean;
  /** Returns the indexes the caller's token is limited to, or undefined if it is valid for all. */
  indexesOf(caller: Caller): ReadonlySet<string> | undefined;
  /** Returns what the caller's token grants; nothing if it is unknown or expired. */
  grantOf(caller: Caller): Grant;
}

/**
 * Creates the access check. Without tokens, everything is allowed. `onRefused` is called for each
 * rejected attempt.
 */
export function createAccess(
  tokens: TokenTable | undefined,
  onRefused: (caller: Caller, action: string, error: HostError) => void,
): Access {
  if (tokens === undefined) return openAccess;

  function refused(caller: Caller, action: string, error: HostError): HostError {
    onRefused(caller, action, error);
    return error;
  }

  function indexesOf({ bearerToken }: Caller): ReadonlySet<string> | undefined {
    if (bearerToken === undefined || !tokens?.limitsIndexes()) return undefined;
    const token = tokens.find(bearerToken);
    // An expired token is rejected by requireRole.
    return token?.expired ? undefined : token?.indexes;
  }

  return {
    withTokens: true,
    requireRole(caller, action, required) {
      try {
        authorize(tokens, caller.bearerToken, required);
      } catch (thrown) {
        throw thrown instanceof HostError ? refused(caller, action, thrown) : thrown;
      }
    },
    requireIndexes(caller, action, links) {
      const allowed = indexesOf(caller);
      if (allowed === undefined) return;
      const names = [...allowed].join(", ");
      if (links === undefined)
        throw refused(
          caller,
          action,
          new HostError(
            "INDEX_NOT_ALLOWED",
            `The token is limited to ${names}, but this action is not limited to one index. Use a token without index=.`,
          ),
        );
      const other = links.find((link) => !allowed.has(link));
      if (other === undefined) return;
      throw refused(
        caller,
        action,
        new HostError(
          "INDEX_NOT_ALLOWED",
          `The token is limited to ${names} and not valid for ${JSON.stringify(other.slice(0, 200))}.`,
          { metadata: { indexLink: other.slice(0, 200) } },
        ),
      );
    },
    limitsIndexes: () => tokens.limitsIndexes(),
    indexesOf,
    grantOf({ bearerToken }) {
      const token = bearerToken === undefined ? undefined : tokens.find(bearerToken);
      if (token === undefined || token.expired) return { tokenName: "", roles: [] };
      const { name, roles, indexes } = token;
      return { tokenName: name, roles: [...roles], ...(indexes && { indexes }) };
    },
  };
}

/**
 * Access without tokens. Such a host only listens on loopback or requires client certificates
 * (exposure.ts).
 */
const openAccess: Access = {
  withTokens: false,
  requireRole: () => undefined,
  requireIndexes: () => undefined,
  limitsIndexes: () => false,
  indexesOf: () => undefined,
  grantOf: () => openGrant,
};
