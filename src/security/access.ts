import { HostError } from "../errors.js";
import type { Caller } from "./caller.js";
import { authorize, type RequiredRoles } from "./roles.js";
import type { TokenTable } from "./tokens.js";

/** Who may do what. `action` says what is asked for, as the audit log calls it. */
export interface Access {
  /** Whether callers have to have a token. */
  readonly withTokens: boolean;
  /** Throws TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_EXPIRED or ROLE_MISSING unless the caller may act in the role; see authorize. */
  requireRole(caller: Caller, action: string, required?: RequiredRoles): void;
  /**
   * Throws INDEX_NOT_ALLOWED unless the caller's token is for all of these indexes. Undefined: what is asked for is not of one
   * index, or it cannot be told of which before it is done; a token for some indexes may not do it.
   */
  requireIndexes(caller: Caller, action: string, links: readonly string[] | undefined): void;
  /** Whether any token is for some indexes alone. */
  limitsIndexes(): boolean;
  /** The indexes that the caller's token is for; undefined: all. */
  indexesOf(caller: Caller): ReadonlySet<string> | undefined;
}

/** The one place where callers are let in or refused; `onRefused` hears of each refusal. */
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
    // One that has expired is refused for that.
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
            `The token is for ${names} alone, and this is not of one index: use a token without index=.`,
          ),
        );
      const other = links.find((link) => !allowed.has(link));
      if (other === undefined) return;
      throw refused(
        caller,
        action,
        new HostError(
          "INDEX_NOT_ALLOWED",
          `The token is for ${names} alone, not for ${JSON.stringify(other.slice(0, 200))}.`,
          { metadata: { indexLink: other.slice(0, 200) } },
        ),
      );
    },
    limitsIndexes: () => tokens.limitsIndexes(),
    indexesOf,
  };
}

/** That of a host without tokens: it listens on loopback alone, or asks for client certificates (exposure.ts). */
const openAccess: Access = {
  withTokens: false,
  requireRole: () => undefined,
  requireIndexes: () => undefined,
  limitsIndexes: () => false,
  indexesOf: () => undefined,
};
