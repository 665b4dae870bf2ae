import type { IncomingMessage } from "node:http";
import type { Access } from "../../security/access.js";
import type { Protocol } from "../../security/caller.js";
import type { Client, Identify } from "../../security/clients.js";
import type { RequiredRoles } from "../../security/roles.js";
import type { Auditor, AuditEvent } from "../../service/host/auditor.js";
import { callerOf } from "../../transport/http/caller.js";
import { targetOf } from "./request-parts.js";

/** Access control and auditing for requests of the Xenon API. */
export interface DialectAccess {
  /** Whether requests require a token. */
  readonly withTokens: boolean;
  /**
   * Throws unless the bearer token of the request grants the role, or, if no role is given, is
   * known.
   */
  requireRole(request: IncomingMessage, role?: RequiredRoles): void;
  /** Throws INDEX_NOT_ALLOWED if the token is not valid for the indexes; see Access. */
  requireIndexes(request: IncomingMessage, links: readonly string[] | undefined): void;
  /** Whether the token is valid for an index. */
  mayUse(request: IncomingMessage, indexLink: string): boolean;
  /** Whether the token is limited to certain indexes. */
  isLimited(request: IncomingMessage): boolean;
  /**
   * Returns the client of a request, or undefined on a host without tokens, where clients cannot be
   * distinguished.
   */
  clientOf(request: IncomingMessage): Client | undefined;
  /** Runs the work and records its outcome in the audit log; see Auditor. */
  audited<T>(
    request: IncomingMessage,
    event: AuditEvent,
    work: () => Promise<T>,
    operationOf?: (result: T) => string | undefined,
  ): Promise<T>;
  /** Records a completed action in the audit log. */
  recordAction(request: IncomingMessage, event: AuditEvent): Promise<void>;
}

/** Dependencies of createDialectAccess. */
export interface DialectAccessOptions {
  access: Access;
  identify: Identify;
  auditor: Auditor;
}

/**
 * Creates access control for requests received over `via`. Without tokens, nothing is computed that
 * only they need.
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
    audited: (request, event, work, operationOf) =>
      auditor.during(caller(request), event, work, operationOf),
    recordAction: (request, event) => auditor.record(caller(request), event),
  };
}
