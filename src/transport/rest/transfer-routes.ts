import { create, toJson, type Registry } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ManagementService, TransferSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { toTransfer } from "../../service/grpc/convert-transfer.js";
import type { Access } from "../../security/access.js";
import type { Auditor } from "../../service/auditor.js";
import type { StreamService } from "../../service/streams.js";
import { checkTransferName } from "../../transfer/transfer.js";
import type { Authorize } from "../call/authorization.js";
import { callerOf } from "../http/caller.js";
import type { HttpHandler } from "../http/server.js";
import { hostErrorOf, type OnInternalError } from "../status.js";
import { sendAnswer, sendError } from "./answer.js";
import { receiveTransfer } from "./transfer-upload.js";
import { sendTransfer } from "./transfer-download.js";

export interface TransferRoutes {
  streams: StreamService;
  authorize: Authorize;
  access: Access;
  auditor: Auditor;
  registry: Registry;
  onInternalError: OnInternalError;
}

export const transferPrefix = "/v1/transfers/";
const downloadVerb = ":download";

/** The bytes of transfers over HTTP, as browsers, curl and wget fetch and send files; what is said of them is REST as all else. */
export function createTransferRoutes({ streams, authorize, access, auditor, registry, onInternalError }: TransferRoutes): HttpHandler {
  async function answer(request: IncomingMessage, response: ServerResponse, name: string, download: boolean, signal: AbortSignal): Promise<void> {
    const { streamBackup, streamRestore } = ManagementService.method;
    authorize(download ? streamBackup : streamRestore, callerOf(request, "rest"));
    const caller = callerOf(request, "rest");
    // Of which index a transfer is, its bytes say.
    access.requireIndexes(caller, download ? streamBackup.name : streamRestore.name, undefined);
    checkTransferName(name);
    if (download) {
      const deed = { action: "StreamBackup", subject: name };
      const left = () => (response.destroyed && !response.writableFinished ? new HostError("OPERATION_CANCELLED", "The caller left.") : undefined);
      return sendTransfer(streams, name, request, response, signal).then(() => auditor.ended(caller, deed, left()), async (thrown: unknown) => {
        await auditor.ended(caller, deed, thrown);
        throw thrown;
      });
    }
    const transfer = await auditor.during(caller, { action: "StreamRestore", subject: name }, () => receiveTransfer(streams, name, request, signal));
    await sendAnswer(response, toJson(TransferSchema, create(TransferSchema, toTransfer(transfer)), { registry, alwaysEmitImplicit: true }), []);
  }

  return async (request, response, signal) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (!path.startsWith(transferPrefix)) return false;
    const download = path.endsWith(downloadVerb);
    const method = request.method ?? "GET";
    if (download ? method !== "GET" && method !== "HEAD" : method !== "PUT") return false;
    try {
      await answer(request, response, path.slice(transferPrefix.length, download ? -downloadVerb.length : undefined), download, signal());
    } catch (thrown) {
      sendError(request, response, hostErrorOf(thrown, onInternalError), registry);
    }
    return true;
  };
}
