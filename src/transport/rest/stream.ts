import type { JsonValue } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";
import { noSniff, writeChunk } from "../http/respond.js";
import { commonHeaders } from "./answer.js";

/** A stream of lines and the options to send it. */
export interface Lines {
  lines: AsyncIterable<string>;
  /** Additional headers, alternating names and values; called when the first line is available. */
  headers?: () => readonly string[];
  /** Converts an error after the first line to google.rpc.Status. */
  errorJson: (thrown: unknown) => JsonValue;
}

/**
 * Sends NDJSON with backpressure. Rejects with an error thrown before the first line. A later error
 * is sent as the last line, {"error": Status}, and the connection is closed without a proper end,
 * so that the response does not look complete.
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
      ...commonHeaders,
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
    // Closing at once while the client still sends could lose the last line.
    if (request.complete) response.socket?.destroySoon();
    else setTimeout(() => response.destroy(), limits.refusedBodyDrainMs).unref();
    return;
  }
  if (!response.headersSent) begin();
  response.end();
}
