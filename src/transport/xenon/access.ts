import type { IncomingMessage } from "node:http";
import type { Access } from "../../security/access.js";
import type { Caller } from "../../security/caller.js";
import type { Client, Identify } from "../../security/clients.js";
import type { RequiredRoles } from "../../security/roles.js";
import type { Auditor, Deed } from "../../service/auditor.js";
import { callerOf as callerOfRequest } from "../http/caller.js";
import { targetOf } from "./request-parts.js";

/** Who may do what in Xenon's dialect, and who did. */
export interface DialectAccess {
  /** Throws unless the request's bearer token grants the role; without a role, unless the token is known. */
  requireRole(request: IncomingMessage, role?: RequiredRoles): void;
  /** Throws INDEX_NOT_ALLOWED where the token is for other indexes alone; see Access. */
  requireIndexes(request: IncomingMessage, links: readonly string[] | undefined): void;
  /** Whether the token is for an index. */
  mayUse(request: IncomingMessage, indexLink: string): boolean;
  /** Whether the token is for some indexes alone. */
  isLimited(request: IncomingMessage): boolean;
  /** Whose a request is; undefined on a host without tokens, where nobody can be told from anybody. */
  clientOf(request: IncomingMessage): Client | undefined;
  /** Does the work and writes down how it ended; see Auditor. */
  audited<T>(request: IncomingMessage, deed: Deed, work: () => Promise<T>, operationOf?: (result: T) => string | undefined): Promise<T>;
}

export interface DialectAccessOptions {
  access: Access;
  /** Absent: a host without tokens. */
  identify: Identify | undefined;
  auditor: Auditor;
}

export function createDialectAccess({ access, identify, auditor }: DialectAccessOptions): DialectAccess {
  const pathOf = (request: IncomingMessage) => targetOf(request.url ?? "").path;
  const callerOf = (request: IncomingMessage): Caller => callerOfRequest(request, pathOf(request).startsWith("/local-files") ? "files" : "xenon");
  const actionOf = (request: IncomingMessage) => `${request.method} ${pathOf(request)}`;
  return {
    requireRole(request, role) {
      access.requireRole(callerOf(request), actionOf(request), role);
    },
    requireIndexes(request, links) {
      if (access.limitsIndexes()) access.requireIndexes(callerOf(request), actionOf(request), links);
    },
    mayUse: (request, indexLink) => access.indexesOf(callerOf(request))?.has(indexLink) ?? true,
    isLimited: (request) => access.indexesOf(callerOf(request)) !== undefined,
    clientOf(request) {
      const { bearerToken, address } = callerOf(request);
      return identify?.(bearerToken, address);
    },
    audited: (request, deed, work, operationOf) => auditor.during(callerOf(request), deed, work, operationOf),
  };
}
