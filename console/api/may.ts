import { signal } from "@preact/signals";

/** Roles of the token; undefined while they are not known, or on a host without tokens. */
export const roles = signal<readonly string[] | undefined>(undefined);

/** Whether the token has a role: an action that it lacks the role for is not offered. */
export function may(role: string): boolean {
  const known = roles.value;
  if (known === undefined || known.includes("admin") || known.includes(role)) return true;
  return role === "read" && known.includes("write");
}
