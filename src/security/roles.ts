/** Roles of tokens. admin includes all others, write includes read. */
export const roles = ["read", "write", "backup", "restore", "files", "admin"] as const;
/** See roles. */
export type Role = (typeof roles)[number];

/** Required roles: one role, any of several, or all of several. */
export type RequiredRoles = Role | readonly Role[] | { readonly all: readonly Role[] };
