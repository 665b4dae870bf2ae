import type { IncomingMessage } from "node:http";
import type { Access } from "../../security/access.js";
import type { Protocol } from "../../security/caller.js";
import type { Client, Identify } from "../../security/clients.js";
import type { RequiredRoles } from "../../security/roles.js";
import type { Auditor, AuditEvent } from "../../service/host/auditor.js";
import { callerOf } from "../../transport/http/caller.js";
import { targetOf } from "./request-parts.js";

/** Who may do what in Xenon's dialect, and who did. */
export interface DialectAccess {
  /** Whether callers have to have a token. */
  readonly withTokens: boolean;
  /**
   * Throws unless the request's bearer token grants the role; without a role, unless the token is
   * known.
   */
  requireRole(request: IncomingMessage, role?: RequiredRoles): void;
  /** Throws INDEX_NOT_ALLOWED where the token is for other indexes alone; see Access. */
  requireIndexes(request: IncomingMessage, links: readonly string[] | undefined): void;
  /** Whether the token is for an index. */
  mayUse(request: IncomingMessage, indexLink: string): boolean;
  /** Whether the token is for some indexes alone. */
  isLimited(request: IncomingMessage): boolean;
  /**
   * Whose a request is; undefined on a host without tokens, where nobody can be told from anybody.
   */
  clientOf(request: IncomingMessage): Client | undefined;
  /** Does the work and writes down how it ended; see Auditor. */
  audited<T>(
    request: IncomingMessage,
    deed: AuditEvent,
    work: () => Promise<T>,
    operationOf?: (result: T) => string | undefined,
  ): Promise<T>;
  /** Writes down what was done. */
  noted(request: IncomingMessage, deed: AuditEvent): Promise<void>;
}

export interface DialectAccessOptions {
  access: Access;
  identify: Identify;
  auditor: Auditor;
}

/**
 * For requests that come by `via`. Without tokens nothing is worked out of a request that only they
 * need.
 */
export function createDialectAccess(
  { access, identify, auditor }: DialectAccessOptions,
  via: Protocol,
): DialectAccess {
  const caller = (request: IncomingMessage) => callerOf(request, via);
  const actionOf = (request: IncomingMessage) =>
    `${request.method} ${targetOf(request.url ?? "").path}`;
  return {
    withTokens: access.withTokens,
    requireRole(request, role) {
      if (access.withTokens) access.requireRole(caller(request), actionOf(request), role);
    },
    requireIndexes(request, links) {
      if (access.limitsIndexes()) access.requireIndexes(caller(request), actionOf(request), links);
    },
    mayUse: (request, indexLink) => access.indexesOf(caller(request))?.has(indexLink) ?? true,
    isLimited: (request) => access.indexesOf(caller(request)) !== undefined,
    clientOf(request) {
      if (!access.withTokens) return undefined;
      const { bearerToken, address } = caller(request);
      return identify(bearerToken, address);
    },
    audited: (request, deed, work, operationOf) =>
      auditor.during(caller(request), deed, work, operationOf),
    noted: (request, deed) => auditor.record(caller(request), deed),
  };
}
