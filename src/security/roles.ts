import { HostError } from "../errors.js";
import type { TokenTable } from "./tokens.js";

/** What a caller may do. admin may do everything, write may read too. */
export const roles = ["read", "write", "backup", "restore", "files", "admin"] as const;
export type Role = (typeof roles)[number];

/**
 * Throws TOKEN_MISSING, TOKEN_UNKNOWN or ROLE_MISSING unless the bearer of the token may act in the role. Without a
 * table of tokens everything is allowed: such a host listens on loopback alone (exposure.ts). Without a role it is
 * enough to have a token: for what must be read before the role it takes is known.
 */
export function authorize(tokens: TokenTable | undefined, token: string | undefined, role?: Role | readonly Role[]): void {
  if (tokens === undefined) return;
  if (token === undefined) {
    throw new HostError("TOKEN_MISSING", "This host wants a token: send it as Authorization: Bearer <token>.");
  }
  const granted = tokens.rolesOf(token);
  if (granted === undefined) throw unknownToken();
  if (role === undefined || granted.has("admin")) return;
  const wanted = typeof role === "string" ? [role] : role;
  if (wanted.some((one) => granted.has(one) || (one === "read" && granted.has("write")))) return;
  const names = wanted.join(" or ");
  throw new HostError("ROLE_MISSING", `The token does not have the role ${names}.`, { metadata: { role: names } });
}

export function unknownToken(): HostError {
  return new HostError("TOKEN_UNKNOWN", "The token is not known to this host.");
}
