import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";
import type { ClientShares } from "../../service/host/client-shares.js";
import type { HostControl } from "../../service/host/host-control.js";
import type { ManagementService } from "../../service/backups/management-service.js";
import type { OperationService, OperationView } from "../../operation/operation.js";
import { withoutSecrets } from "../../security/secrets.js";
import { readText } from "../../transport/http/body.js";
import { acceptedHeaders, preferenceOf } from "../../transport/http/prefer.js";
import { sendJson } from "../../transport/http/respond.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import type { DialectAccess } from "./access.js";
import { hostStateText } from "./host-state.js";
import { backupServiceText } from "./backup-service-state.js";
import { readManagementRequest, type BackupService } from "./management-request.js";
import { rolesOfBackup } from "../../api/policy/method-roles.js";
import { statsText } from "./stats-text.js";
import { refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

/** Dependencies of createManagementRoutes. */
export interface ManagementRoutes {
  management: ManagementService;
  operations: OperationService;
  control: HostControl;
  hostId: string;
  indexLinks: readonly string[];
  access: DialectAccess;
  shares: ClientShares | undefined;
}

/**
 * Serves /core/management (state, statistics, backup, restore and settings) and the backup service
 * of each index.
 */
export function createManagementRoutes(routes: ManagementRoutes): HttpHandler {
  const { management, operations, control, hostId, indexLinks, access, shares } = routes;
  const backupServices = new Map<string, BackupService>(
    indexLinks.map((indexLink) => [
      `${indexLink}-backup`,
      { link: `${indexLink}-backup`, indexLink },
    ]),
  );

  return async (request, response, signal) => {
    const { path } = targetOf(request.url ?? "");
    const service = backupServices.get(path);
    if (service) await onBackupService(request, response, signal, service);
    else if (path === "/core/management") await onManagement(request, response, signal);
    else if (path === "/core/management/stats") {
      if (request.method !== "GET") refuseMethod(request, "GET");
      access.requireRole(request, "read");
      sendJson(response, 200, statsText(await control.stats(), path, hostId));
    } else return false;
    return true;
  };

  async function onManagement(
    request: IncomingMessage,
    response: ServerResponse,
    signal: () => AbortSignal,
  ): Promise<void> {
    switch (request.method) {
      case "GET":
        access.requireRole(request, "read");
        return sendJson(
          response,
          200,
          hostStateText(await management.host(), control, access.withTokens),
        );
      case "PATCH":
        return onPatch(request, response, signal);
      case "DELETE":
        access.requireRole(request, "admin");
        await access.recordAction(request, { action: "Shutdown" });
        response.shouldKeepAlive = false;
        // Shut down after the response was sent.
        response.once("close", control.shutDown);
        return sendJson(response, 202, "");
      default:
        refuseMethod(request, "GET, PATCH, DELETE");
    }
  }

  async function onBackupService(
    request: IncomingMessage,
    response: ServerResponse,
    signal: () => AbortSignal,
    service: BackupService,
  ): Promise<void> {
    if (request.method === "PATCH") return onPatch(request, response, signal, service);
    if (request.method !== "GET") refuseMethod(request, "GET, PATCH");
    access.requireRole(request, "read");
    access.requireIndexes(request, [service.indexLink]);
    sendJson(
      response,
      200,
      backupServiceText(service.link, service.indexLink, operations, control.autoBackup()),
    );
  }

  async function onPatch(
    request: IncomingMessage,
    response: ServerResponse,
    signal: () => AbortSignal,
    service?: BackupService,
  ): Promise<void> {
    access.requireRole(request);
    requireJsonBody(request);
    const text = await readText(request, limits.managementBodyBytes);
    const read = readManagementRequest(text, indexLinks, service);
    if (read.action === "control") {
      access.requireRole(request, "admin");
      await access.audited(request, read.event, () => read.apply(control));
      return sendJson(response, 200, read.echo);
    }
    access.requireRole(
      request,
      read.action === "backup" ? rolesOfBackup(read.request.destination) : read.action,
    );
    access.requireIndexes(request, [read.request.indexLink]);
    const start = () =>
      read.action === "backup"
        ? management.backup(read.request)
        : management.restore(
            access.isLimited(request) ? { ...read.request, indexNamed: false } : read.request,
          );
    const client = access.clientOf(request);
    const event =
      read.action === "backup"
        ? { action: "Backup", subject: withoutSecrets(read.request.destination) }
        : { action: "Restore", subject: withoutSecrets(read.request.source) };
    const begun = await access.audited(
      request,
      event,
      () => (client && shares ? shares.operation(client, start) : start()),
      ({ name }) => name,
    );
    const preference = preferenceOf(request);
    const done = await outcome(begun, signal(), preference?.waitMs);
    if (done === undefined) return;
    if (done.error !== undefined) throw done.error;
    if (done.done)
      sendJson(response, 200, read.echo, preference && ["preference-applied", preference.applied]);
    else sendJson(response, 202, read.echo, acceptedHeaders(begun.name, preference?.applied ?? ""));
  }

  /**
   * Waits for an operation as long as the client wants. Returns undefined if the client
   * disconnects; the operation continues.
   */
  async function outcome(
    begun: OperationView,
    signal: AbortSignal,
    waitMs?: number,
  ): Promise<OperationView | undefined> {
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
