import { HostError } from "../errors.js";
import type { TokenTable } from "./tokens.js";

/** What a caller may do. admin may do everything, write may read too. */
export const roles = ["read", "write", "backup", "restore", "files", "admin"] as const;
export type Role = (typeof roles)[number];

/** What it takes: a role, any of several, or all of several. */
export type RequiredRoles = Role | readonly Role[] | { readonly all: readonly Role[] };

/**
 * Throws TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_EXPIRED or ROLE_MISSING unless the bearer of the token may act in the role. Without a
 * table of tokens everything is allowed: such a host listens on loopback alone (exposure.ts). Without a role it is
 * enough to have a token: for what must be read before the role it takes is known.
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
      "This host wants a token: send it as Authorization: Bearer <token>.",
    );
  }
  const found = tokens.find(token);
  if (found === undefined) throw unknownToken();
  if (found.expired)
    throw new HostError(
      "TOKEN_EXPIRED",
      "The token has expired. Ask whoever runs the host for a new one.",
    );
  if (required === undefined || found.roles.has("admin")) return;
  const has = (role: Role) =>
    found.roles.has(role) || (role === "read" && found.roles.has("write"));
  const [wanted, word, holds] =
    typeof required === "string"
      ? [[required], "", has(required)]
      : "all" in required
        ? [required.all, " and ", required.all.every(has)]
        : [required, " or ", required.some(has)];
  if (holds) return;
  const names = wanted.join(word);
  throw new HostError("ROLE_MISSING", `The token does not have the role ${names}.`, {
    metadata: { role: names },
  });
}

export function unknownToken(): HostError {
  return new HostError("TOKEN_UNKNOWN", "The token is not known to this host.");
}
