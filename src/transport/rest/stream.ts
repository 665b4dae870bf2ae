import type { JsonValue } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";
import { noSniff, writeChunk } from "../http/respond.js";
import { always } from "./answer.js";

/** The text of a stream, whole lines at a time, and what it is sent with. */
export interface Lines {
  lines: AsyncIterable<string>;
  /** Names and values in turn; asked for when the first line is there. */
  headers?: () => readonly string[];
  /** The error as google.rpc.Status, for one that comes when messages were sent already. */
  errorJson: (thrown: unknown) => JsonValue;
}

/**
 * Sends NDJSON as fast as the client takes it. Rejects with what is thrown before the first line. A later error is the
 * last line, {"error": Status}, and the connection is cut behind it, so that nobody takes
 * what came for all there is.
 */
export async function sendLines(
  request: IncomingMessage,
  response: ServerResponse,
  { lines, headers, errorJson }: Lines,
): Promise<void> {
  const begin = () => {
    const connection = response.shouldKeepAlive ? "keep-alive" : "close";
    response.writeHead(200, [
      "content-type",
      "application/x-ndjson",
      "transfer-encoding",
      "chunked",
      "connection",
      connection,
      ...noSniff,
      ...always,
      ...(headers?.() ?? []),
    ]);
  };
  try {
    for await (const text of lines) {
      if (!response.headersSent) begin();
      const taken = await writeChunk(response, text);
      if (!taken || request.method === "HEAD") break;
    }
  } catch (thrown) {
    if (!response.headersSent) throw thrown;
    const error = errorJson(thrown);
    if (response.destroyed) return;
    response.write(`${JSON.stringify({ error })}\n`);
    // While its sender still sends, a connection that is cut at once takes the line with it.
    if (request.complete) response.socket?.destroySoon();
    else setTimeout(() => response.destroy(), limits.drainMs).unref();
    return;
  }
  if (!response.headersSent) begin();
  response.end();
}
