/**
 * Roles of tokens. admin includes all others, write includes read. prune removes backups, which backup
 * does not.
 */
export const roles = ["read", "write", "backup", "restore", "prune", "files", "admin"] as const;
/** See roles. */
export type Role = (typeof roles)[number];

/** Required roles: one role, any of several, or all of several. */
export type RequiredRoles = Role | readonly Role[] | { readonly all: readonly Role[] };
