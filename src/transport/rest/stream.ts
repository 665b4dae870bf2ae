import type { JsonValue } from "@bufbuild/protobuf";
import type { IncomingMessage, ServerResponse } from "node:http";
import { writeChunk } from "../http/respond.js";
import { always } from "./answer.js";

/** The messages of a stream as JSON, and what they are sent with. */
export interface Lines {
  messages: AsyncIterable<JsonValue>;
  /** Names and values in turn; asked for when the first message is there. */
  headers: () => readonly string[];
  /** The error as google.rpc.Status, for one that comes when messages were sent already. */
  errorJson: (thrown: unknown) => JsonValue;
}

/**
 * Sends NDJSON, one message a line, as fast as the client takes it. Rejects with what is thrown before the first
 * message. A later error is the last line, {"error": Status}, and the connection is cut behind it, so that nobody takes
 * what came for all there is.
 */
export async function sendLines(request: IncomingMessage, response: ServerResponse, { messages, headers, errorJson }: Lines): Promise<void> {
  const begin = () => {
    const connection = response.shouldKeepAlive ? "keep-alive" : "close";
    response.writeHead(200, ["content-type", "application/x-ndjson", "transfer-encoding", "chunked", "connection", connection, ...always, ...headers()]);
  };
  try {
    for await (const message of messages) {
      if (!response.headersSent) begin();
      const taken = await writeChunk(response, `${JSON.stringify(message)}\n`);
      if (!taken || request.method === "HEAD") break;
    }
  } catch (thrown) {
    if (!response.headersSent) throw thrown;
    const error = errorJson(thrown);
    if (response.destroyed) return;
    response.write(`${JSON.stringify({ error })}\n`);
    request.socket.destroySoon();
    return;
  }
  if (!response.headersSent) begin();
  response.end();
}
