import { toJson, type JsonValue, type Registry } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { httpStatus, type HostError } from "../../errors.js";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { statusOf } from "../status.js";

/** How long a client may go on sending a body that was refused, so that it gets to read why. */
const discardMs = 2000;

export function sendJson(response: ServerResponse, status: number, json: JsonValue, headers: Record<string, string> = {}) {
  const text = Buffer.from(JSON.stringify(json));
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": text.byteLength,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(text);
}

/** Answers with google.rpc.Status as JSON. `conditional`: the request had an If-Match header. */
export function sendError(request: IncomingMessage, response: ServerResponse, error: HostError, registry: Registry, conditional: boolean) {
  if (response.headersSent || response.destroyed) return;
  const status = conditional && error.reason === "VERSION_MISMATCH" ? 412 : httpStatus(error);
  const headers: Record<string, string> = {};
  if (status === 401) headers["www-authenticate"] = "Bearer";
  if (status === 503) headers["retry-after"] = "1";
  if (error.metadata["allow"]) headers["allow"] = error.metadata["allow"];
  if (!request.complete) {
    // The rest of the body is not wanted: the connection cannot be used again.
    headers["connection"] = "close";
    const timer = setTimeout(() => request.destroy(), discardMs).unref();
    request.once("close", () => clearTimeout(timer)).resume();
  }
  sendJson(response, status, toJson(StatusSchema, statusOf(error), { registry }), headers);
}
