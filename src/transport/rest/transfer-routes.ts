import { create, toJson, type Registry } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ManagementService, TransferSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { toTransfer } from "../../service/grpc/convert-transfer.js";
import type { StreamService } from "../../service/streams.js";
import { checkTransferName } from "../../transfer/transfer.js";
import { bearerTokenOf, type Authorize } from "../call/authorization.js";
import type { HttpHandler } from "../http/server.js";
import { hostErrorOf, type OnInternalError } from "../status.js";
import { sendAnswer, sendError } from "./answer.js";
import { receiveTransfer } from "./transfer-upload.js";
import { sendTransfer } from "./transfer-download.js";

export interface TransferRoutes {
  streams: StreamService;
  authorize: Authorize;
  registry: Registry;
  onInternalError: OnInternalError;
}

export const transferPrefix = "/v1/transfers/";
const downloadVerb = ":download";

/** The bytes of transfers over HTTP, as browsers, curl and wget fetch and send files; what is said of them is REST as all else. */
export function createTransferRoutes({ streams, authorize, registry, onInternalError }: TransferRoutes): HttpHandler {
  async function answer(request: IncomingMessage, response: ServerResponse, name: string, download: boolean, signal: AbortSignal): Promise<void> {
    const { streamBackup, streamRestore } = ManagementService.method;
    authorize(download ? streamBackup : streamRestore, bearerTokenOf(request.headers.authorization));
    checkTransferName(name);
    if (download) return sendTransfer(streams, name, request, response, signal);
    const transfer = await receiveTransfer(streams, name, request, signal);
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
