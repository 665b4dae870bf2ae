import { HostError } from "../errors.js";
import type { RequiredRoles, Role } from "./roles.js";
import type { TokenTable } from "./tokens.js";

/**
 * Throws TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_EXPIRED or ROLE_MISSING unless the token has the
 * required role. If no role is given, any valid token suffices, for requests that must be read
 * before the role is known. Without a token table everything is allowed; such a host only listens
 * on loopback (exposure.ts).
 */
export function authorize(
  tokens: TokenTable | undefined,
  token: string | undefined,
  required?: RequiredRoles,
): void {
  if (tokens === undefined) return;
  if (token === undefined) {
    throw new HostError(
      "TOKEN_MISSING",
      "This host requires a token: send the header Authorization: Bearer <token>.",
    );
  }
  const found = tokens.find(token);
  if (found === undefined) throw unknownToken();
  if (found.expired)
    throw new HostError(
      "TOKEN_EXPIRED",
      "The token has expired. Ask the operator of the host for a new one.",
    );
  if (required === undefined || found.roles.has("admin")) return;
  const has = (role: Role) =>
    found.roles.has(role) || (role === "read" && found.roles.has("write"));
  const [alternatives, separator, granted] =
    typeof required === "string"
      ? [[required], "", has(required)]
      : "all" in required
        ? [required.all, " and ", required.all.every(has)]
        : [required, " or ", required.some(has)];
  if (granted) return;
  const names = alternatives.join(separator);
  throw new HostError("ROLE_MISSING", `The token does not have the role ${names}.`, {
    metadata: { role: names },
  });
}

/** Returns a TOKEN_UNKNOWN error. */
export function unknownToken(): HostError {
  return new HostError("TOKEN_UNKNOWN", "Unknown token.");
}
