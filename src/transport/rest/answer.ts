import { toJson, type JsonValue, type Registry } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { encodeJson } from "../../document/long-json.js";
import { httpStatus, type HostError } from "../../errors.js";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { sendJson, sendJsonAndClose, sendJsonParts, sendLongJson } from "../http/respond.js";
import { statusOf } from "../../api/status.js";
import { hasBody } from "./body.js";

/** Headers of every response: alternating names and values, as node:http accepts them. */
export const commonHeaders = ["cache-control", "no-store"];

/** Sends a JSON response. */
export function sendAnswer(
  response: ServerResponse,
  json: JsonValue,
  headers: readonly string[],
  status = 200,
): Promise<void> {
  return sendLongJson(response, status, JSON.stringify(json), [...commonHeaders, ...headers]);
}

/** Sends an error response with google.rpc.Status as JSON. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: HostError,
  registry: Registry,
) {
  if (response.headersSent || response.destroyed) return;
  const unmet = error.reason === "VERSION_MISMATCH" && request.headers["if-match"] !== undefined;
  const status = unmet ? 412 : httpStatus(error);
  const headers = [...commonHeaders];
  if (status === 401) headers.push("www-authenticate", "Bearer");
  if (status === 503) headers.push("retry-after", "1");
  if (status === 416 && error.metadata["sizeBytes"])
    headers.push("content-range", `bytes */${error.metadata["sizeBytes"]}`);
  if (error.metadata["allow"]) headers.push("allow", error.metadata["allow"]);
  const text = JSON.stringify(errorJson(error, registry));
  if (hasBody(request) && !request.complete)
    sendJsonAndClose(request, response, status, text, headers);
  else sendJson(response, status, text, headers);
}

/** Like sendAnswer, for JSON that may contain document bytes. */
export async function sendLongAnswer(
  response: ServerResponse,
  json: JsonValue,
  headers: readonly string[],
  status = 200,
): Promise<void> {
  await sendJsonParts(response, status, await encodeJson(json), [...commonHeaders, ...headers]);
}

/** Converts an error to google.rpc.Status as JSON. */
export function errorJson(error: HostError, registry: Registry): JsonValue {
  return toJson(StatusSchema, statusOf(error), { registry });
}
