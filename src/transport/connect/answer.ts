import type { ConnectRouter } from "@connectrpc/connect";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostError } from "../../errors.js";
import { endWhenRead, noSniff, sendJson, sendJsonAndClose, writeChunk } from "../http/respond.js";
import { statusOf } from "../../api/status.js";

/** One method as Connect's own router serves it, whatever the protocol. */
export type UniversalHandler = ConnectRouter["handlers"][number];
export type UniversalResponse = Awaited<ReturnType<UniversalHandler>>;

const always = ["cache-control", "no-store"];

/** Sends an answer as fast as the client takes it; leaving the loop runs the `finally` of whoever makes its messages. */
export async function sendUniversal(
  request: IncomingMessage,
  response: ServerResponse,
  answer: UniversalResponse,
): Promise<void> {
  // Known now: a refusal before the request was read. The connection cannot be used again.
  if (!request.complete && answer.status !== 200) response.shouldKeepAlive = false;
  response.writeHead(answer.status, [...noSniff, ...always, ...[...(answer.header ?? [])].flat()]);
  for await (const chunk of answer.body ?? []) {
    if (!(await writeChunk(response, chunk))) break;
  }
  endWhenRead(request, response);
}

/** The answer to a path below which there is no such method: Connect's JSON, and its status for clients of gRPC-Web. */
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
