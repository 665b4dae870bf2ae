import { create, toJson, type Registry } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  ManagementService,
  TransferSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { toTransfer } from "../../api/convert/transfer.js";
import type { Access } from "../../security/access.js";
import type { Auditor } from "../../service/host/auditor.js";
import type { StreamService } from "../../service/backups/streams.js";
import { checkTransferName } from "../../destination/transfer/transfer.js";
import type { Authorize } from "../../api/policy/authorization.js";
import { callerOf } from "../http/caller.js";
import { requireSent } from "../http/send-bytes.js";
import type { HttpHandler } from "../http/handler.js";
import { hostErrorOf, type OnInternalError } from "../../api/status.js";
import { sendAnswer, sendError } from "./answer.js";
import { receiveTransfer } from "./transfer-upload.js";
import { sendTransfer } from "./transfer-download.js";

/** Dependencies of createTransferRoutes. */
export interface TransferRoutes {
  streams: StreamService;
  authorize: Authorize;
  access: Access;
  auditor: Auditor;
  registry: Registry;
  onInternalError: OnInternalError;
}

/** Path prefix of transfers. */
export const transferPrefix = "/v1/transfers/";
const downloadVerb = ":download";

/** Serves upload and download of transfer archives with plain HTTP, for browsers, curl and wget. */
export function createTransferRoutes({
  streams,
  authorize,
  access,
  auditor,
  registry,
  onInternalError,
}: TransferRoutes): HttpHandler {
  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    download: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { streamBackup, streamRestore } = ManagementService.method;
    const method = download ? streamBackup : streamRestore;
    const caller = callerOf(request, "rest");
    authorize(method, caller);
    // The index of a transfer is only known from its content.
    access.requireIndexes(caller, method.name, undefined);
    checkTransferName(name);
    const auditEntry = { action: method.name, subject: name };
    if (download)
      return auditor.during(caller, auditEntry, () =>
        sendTransfer(streams, name, request, response, signal).then(() => requireSent(response)),
      );
    const transfer = await auditor.during(caller, auditEntry, () =>
      receiveTransfer(streams, name, request, signal),
    );
    await sendAnswer(
      response,
      toJson(TransferSchema, create(TransferSchema, toTransfer(transfer)), {
        registry,
        alwaysEmitImplicit: true,
      }),
      [],
    );
  }

  return async (request, response, signal) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (!path.startsWith(transferPrefix)) return false;
    const download = path.endsWith(downloadVerb);
    const method = request.method ?? "GET";
    if (download ? method !== "GET" && method !== "HEAD" : method !== "PUT") return false;
    try {
      await answer(
        request,
        response,
        path.slice(transferPrefix.length, download ? -downloadVerb.length : undefined),
        download,
        signal(),
      );
    } catch (thrown) {
      sendError(request, response, hostErrorOf(thrown, onInternalError), registry);
    }
    return true;
  };
}
