import type { IncomingMessage } from "node:http";
import { identifyBy, type Client } from "../../security/clients.js";
import { authorize, type RequiredRoles } from "../../security/roles.js";
import type { TokenTable } from "../../security/tokens.js";
import { bearerTokenOf } from "../call/authorization.js";

/** Throws unless the request's bearer token grants the role; without a role, unless the token is known. */
export type RequireRole = (request: IncomingMessage, role?: RequiredRoles) => void;

export function requireRoleOf(tokens: TokenTable | undefined): RequireRole {
  if (tokens === undefined) return () => undefined;
  return (request, role) => {
    authorize(tokens, bearerTokenOf(request.headers.authorization), role);
  };
}

/** Whose a request is; undefined on a host without tokens, where nobody can be told from anybody. */
export type ClientOf = (request: IncomingMessage) => Client | undefined;

export function clientBy(tokens: TokenTable | undefined): ClientOf {
  if (tokens === undefined) return () => undefined;
  const identify = identifyBy(tokens);
  return ({ headers, socket }) => identify(bearerTokenOf(headers.authorization), socket.remoteAddress);
}
