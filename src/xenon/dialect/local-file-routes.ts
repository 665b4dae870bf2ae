import type { IncomingMessage, ServerResponse } from "node:http";
import { HostError } from "../../errors.js";
import { fileStorePath, type FileStore } from "../local-files/file-store.js";
import { limits } from "../../limits.js";
import type { ClientShares } from "../../service/host/client-shares.js";
import { withoutSecrets } from "../../security/secrets.js";
import { requireSent } from "../../transport/http/send-bytes.js";
import { bodyChunks, readText } from "../../transport/http/body.js";
import { sendJson } from "../../transport/http/respond.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import type { DialectAccess } from "./access.js";
import { sendFile } from "./local-file-download.js";
import { uploadRangeOf, readFinished, readNewService } from "./local-file-request.js";
import { progressText, receivedText, serviceText } from "./local-file-text.js";
import { tail } from "./listing.js";
import { parametersOf, refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

/** Dependencies of createLocalFileRoutes. */
export interface LocalFileRoutes {
  fileStore: FileStore;
  hostId: string;
  /** Time after which a transfer without progress is aborted, in milliseconds. */
  idleMs: number;
  access: DialectAccess;
  shares: ClientShares | undefined;
}

/** Path prefix of file services. Requests may have bodies of any size. */
export const localFilePrefix = `${fileStorePath}/`;

/**
 * A separate role: permission to back up the host does not include reading and writing files on it.
 */
const role = "files";

/**
 * Serves Xenon's LocalFileService and its factory: files on this machine that other hosts back up
 * to and restore from.
 */
export function createLocalFileRoutes({
  fileStore,
  hostId,
  idleMs,
  access,
  shares,
}: LocalFileRoutes): HttpHandler {
  return async (request, response, signal) => {
    const { path, query } = targetOf(request.url ?? "");
    if (path === fileStorePath || path === localFilePrefix)
      await onFactory(request, response, query);
    else if (path.startsWith(localFilePrefix)) await onService(request, response, path, signal);
    else return false;
    return true;
  };

  async function onFactory(
    request: IncomingMessage,
    response: ServerResponse,
    query: string,
  ): Promise<void> {
    if (request.method === "POST") {
      access.requireRole(request, role);
      const newService = readNewService(await textOf(request));
      const client = access.clientOf(request);
      const create = () => fileStore.create(newService);
      const make = () =>
        client && shares
          ? shares.fileService(client, () => fileStore.list().map(({ link }) => link), create)
          : create();
      sendJson(
        response,
        200,
        serviceText(
          await access.audited(
            request,
            { action: "CreateFileService", subject: withoutSecrets(newService.localFileUri) },
            make,
          ),
        ),
      );
    } else if (request.method === "GET" || request.method === "HEAD") {
      access.requireRole(request, role);
      sendJson(response, 200, listText(query));
    } else refuseMethod(request, "GET, HEAD, POST");
  }

  function listText(query: string): string {
    const begun = process.hrtime.bigint();
    const parameters = parametersOf(query);
    for (const name of parameters.keys()) {
      if (name !== "expand" && name !== "$expand")
        throw new HostError(
          "REQUEST_INVALID",
          `Unsupported parameter ${name}: only expand is supported.`,
          {
            metadata: { field: name },
          },
        );
    }
    const services = fileStore.list();
    const links = services.map(({ link }) => JSON.stringify(link));
    const documents = services.map(
      (service) => `${JSON.stringify(service.link)}:${serviceText(service)}`,
    );
    return `{"documentLinks":[${links.join(",")}]${parameters.size > 0 ? `,"documents":{${documents.join(",")}}` : ""},"documentCount":${services.length},${tail(hostId, begun)}`;
  }

  async function onService(
    request: IncomingMessage,
    response: ServerResponse,
    link: string,
    signal: () => AbortSignal,
  ): Promise<void> {
    switch (request.method) {
      case "GET":
      case "HEAD":
        access.requireRole(request, role);
        if (request.headers.range === undefined) sendJson(response, 200, stateOf(link));
        else {
          const send = () =>
            sendFile({ fileStore, link, request, response, idleMs, signal: signal() }).then(() =>
              requireSent(response),
            );
          // Only the first range of a download is audited.
          await (/^bytes=0-/.test(request.headers.range)
            ? access.audited(request, { action: "ReadFile", subject: link }, send)
            : send());
        }
        return;
      case "PUT": {
        access.requireRole(request, role);
        fileStore.get(link);
        const range = uploadRangeOf(request);
        const stop = sendProcessing(request, response);
        try {
          const written = await fileStore.write(
            link,
            range,
            (either) => bodyChunks(request, idleMs, either),
            signal(),
          );
          if (written.upload?.complete)
            await access.recordAction(request, { action: "WriteFile", subject: link });
          sendJson(response, 200, receivedText(written));
        } finally {
          stop();
        }
        return;
      }
      case "PATCH":
        access.requireRole(request, role);
        sendJson(
          response,
          200,
          progressText(await fileStore.finish(link, readFinished(await textOf(request)))),
        );
        return;
      case "DELETE":
        access.requireRole(request, role);
        sendJson(
          response,
          200,
          serviceText(
            await access.audited(request, { action: "DeleteFileService", subject: link }, () =>
              fileStore.delete(link),
            ),
          ),
        );
        return;
      default:
        refuseMethod(request, "GET, HEAD, PUT, PATCH, DELETE");
    }
  }

  function stateOf(link: string): string {
    // Scripts poll /available to wait for a factory, which exists as soon as the host listens.
    if (
      link === `${localFilePrefix}available` &&
      !fileStore.list().some((service) => service.link === link)
    )
      return "";
    return progressText(fileStore.get(link));
  }
}

/**
 * Sends 102 Processing periodically until stopped, because checking a large file takes long. Only
 * for clients that request it.
 */
function sendProcessing(request: IncomingMessage, response: ServerResponse): () => void {
  if (request.headers.prefer !== "processing") return () => {};
  const timer = setInterval(() => {
    if (!response.headersSent && !response.destroyed) response.writeProcessing();
  }, limits.processingIntervalMs);
  return () => clearInterval(timer);
}

function textOf(request: IncomingMessage): Promise<string> {
  requireJsonBody(request);
  return readText(request, limits.managementBodyBytes);
}
