import type { ConnectRouter } from "@connectrpc/connect";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostError } from "../../errors.js";
import { endWhenRead, noSniff, sendJson, sendJsonAndClose, writeChunk } from "../http/respond.js";
import { statusOf } from "../../api/status.js";

/** Handler of one method in Connect's router, for any of its protocols. */
export type UniversalHandler = ConnectRouter["handlers"][number];
/** Response of a UniversalHandler. */
export type UniversalResponse = Awaited<ReturnType<UniversalHandler>>;

const always = ["cache-control", "no-store"];

/**
 * Sends a response with backpressure. Stopping early runs the `finally` blocks of the message
 * source.
 */
export async function sendUniversal(
  request: IncomingMessage,
  response: ServerResponse,
  answer: UniversalResponse,
): Promise<void> {
  // The request was rejected before its body was read, so the connection cannot be reused.
  if (!request.complete && answer.status !== 200) response.shouldKeepAlive = false;
  response.writeHead(answer.status, [...noSniff, ...always, ...[...(answer.header ?? [])].flat()]);
  for await (const chunk of answer.body ?? []) {
    if (!(await writeChunk(response, chunk))) break;
  }
  endWhenRead(request, response);
}

/**
 * Responds to an unknown method with Connect's JSON error and the HTTP status that gRPC-Web clients
 * expect.
 */
export function sendUnknownMethod(
  request: IncomingMessage,
  response: ServerResponse,
  error: HostError,
): void {
  const { message, details } = statusOf(error);
  const body = JSON.stringify({
    code: "unimplemented",
    message,
    details: details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value: Buffer.from(value).toString("base64").replace(/=+$/, ""),
    })),
  });
  if (request.complete) sendJson(response, 404, body, always);
  else sendJsonAndClose(request, response, 404, body, always);
}
