import type { IncomingMessage } from "node:http";
import { authorize, type Role } from "../../security/roles.js";
import type { TokenTable } from "../../security/tokens.js";

/** Throws unless the request's bearer token grants the role; without a role, unless the token is known. */
export type RequireRole = (request: IncomingMessage, role?: Role | readonly Role[]) => void;

export function requireRoleOf(tokens: TokenTable | undefined): RequireRole {
  if (tokens === undefined) return () => undefined;
  return (request, role) => {
    authorize(tokens, /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1], role);
  };
}
