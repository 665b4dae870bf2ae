import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";
import type { ManagementService, OperationService, OperationView } from "../../service/management-service.js";
import { readText } from "../http/body.js";
import { acceptedHeaders, preferenceOf } from "../http/prefer.js";
import { sendJson } from "../http/respond.js";
import type { HttpHandler } from "../http/server.js";
import type { RequireRole } from "./access.js";
import { hostStateText } from "./host-state.js";
import { readManagementRequest } from "./management-request.js";
import { refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

export interface ManagementRoutes {
  management: ManagementService;
  operations: OperationService;
  indexLinks: readonly string[];
  authorization: boolean;
  requireRole: RequireRole;
}

/** /core/management: what the host is, and backup and restore as Xenon's scripts ask for them. */
export function createManagementRoutes(routes: ManagementRoutes): HttpHandler {
  const { management, operations, indexLinks, authorization, requireRole } = routes;
  const backupLinks = new Set(indexLinks.map((link) => `${link}-backup`));

  return async (request, response, signal) => {
    const { path } = targetOf(request.url ?? "");
    if (backupLinks.has(path)) {
      if (request.method !== "GET") refuseMethod(request, "GET");
      requireRole(request, "read");
      sendJson(response, 200, "");
      return true;
    }
    if (path !== "/core/management") return false;
    if (request.method === "GET") {
      requireRole(request, "read");
      sendJson(response, 200, hostStateText(await management.host(), authorization));
    } else if (request.method === "PATCH") await onPatch(request, response, signal);
    else refuseMethod(request, "GET, PATCH");
    return true;
  };

  async function onPatch(request: IncomingMessage, response: ServerResponse, signal: () => AbortSignal): Promise<void> {
    requireRole(request);
    requireJsonBody(request);
    const text = await readText(request, limits.managementBodyBytes);
    const read = readManagementRequest(text, indexLinks);
    requireRole(request, read.action);
    const begun = read.action === "backup" ? await management.backup(read.request) : await management.restore(read.request);
    const preference = preferenceOf(request);
    const done = await outcome(begun, signal(), preference?.waitMs);
    if (done === undefined) return;
    if (done.error !== undefined) throw done.error;
    if (done.done) sendJson(response, 200, read.echo, preference && ["preference-applied", preference.applied]);
    else sendJson(response, 202, read.echo, acceptedHeaders(begun.name, preference?.applied ?? ""));
  }

  /** The operation when it is done, or as it is when the client wants to know; undefined when the client left: the work goes on without it. */
  async function outcome(begun: OperationView, signal: AbortSignal, waitMs?: number): Promise<OperationView | undefined> {
    let view = begun;
    while (!view.done) {
      if (waitMs === 0) return view;
      try {
        view = await operations.wait(view.name, waitMs ?? limits.operationWaitMs, signal);
      } catch (thrown) {
        if (signal.aborted) return undefined;
        throw thrown;
      }
      if (signal.aborted) return undefined;
      if (waitMs !== undefined) return view;
    }
    return view;
  }
}
