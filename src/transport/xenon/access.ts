import type { IncomingMessage } from "node:http";
import type { CheckAccess } from "../../security/access.js";
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
  /** Whose a request is; undefined on a host without tokens, where nobody can be told from anybody. */
  clientOf(request: IncomingMessage): Client | undefined;
  /** Does the work and writes down how it ended; see Auditor. */
  audited<T>(request: IncomingMessage, deed: Deed, work: () => Promise<T>, operationOf?: (result: T) => string | undefined): Promise<T>;
}

export interface DialectAccessOptions {
  checkAccess: CheckAccess;
  /** Absent: a host without tokens. */
  identify: Identify | undefined;
  auditor: Auditor;
}

export function createDialectAccess({ checkAccess, identify, auditor }: DialectAccessOptions): DialectAccess {
  const pathOf = (request: IncomingMessage) => targetOf(request.url ?? "").path;
  const callerOf = (request: IncomingMessage): Caller => callerOfRequest(request, pathOf(request).startsWith("/local-files") ? "files" : "xenon");
  return {
    requireRole(request, role) {
      checkAccess(callerOf(request), `${request.method} ${pathOf(request)}`, role);
    },
    clientOf(request) {
      const { bearerToken, address } = callerOf(request);
      return identify?.(bearerToken, address);
    },
    audited: (request, deed, work, operationOf) => auditor.during(callerOf(request), deed, work, operationOf),
  };
}
