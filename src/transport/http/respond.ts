import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { encodeUtf8 } from "../../document/utf8.js";
import { limits } from "../../limits.js";

/** On every answer: a browser must not take JSON or bytes of a backup for a page or a script. */
export const noSniff = ["x-content-type-options", "nosniff"] as const;

/** The headers every answer has, in the order that clients of the older host know; no date and no server name. */
export function jsonHeaders(
  response: ServerResponse,
  length: number | undefined,
  extra: readonly string[] = [],
): string[] {
  const framing =
    length === undefined ? ["transfer-encoding", "chunked"] : ["content-length", String(length)];
  return [
    "content-type",
    "application/json",
    ...framing,
    "connection",
    response.shouldKeepAlive ? "keep-alive" : "close",
    ...noSniff,
    ...extra,
  ];
}

/** Sends a whole JSON answer; an empty text has a content type too. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  extra?: readonly string[],
): void {
  response.writeHead(status, jsonHeaders(response, Buffer.byteLength(text), extra));
  response.end(text);
}

/** The same; a long text is encoded in turns of the event loop. */
export async function sendLongJson(
  response: ServerResponse,
  status: number,
  text: string,
  extra?: readonly string[],
): Promise<void> {
  if (text.length <= limits.decodeTurnBytes) {
    sendJson(response, status, text, extra);
    return;
  }
  await sendJsonParts(response, status, await encodeUtf8(text), extra);
}

/** The same for JSON that is bytes already. */
export async function sendJsonParts(
  response: ServerResponse,
  status: number,
  parts: readonly Buffer[],
  extra?: readonly string[],
): Promise<void> {
  response.writeHead(
    status,
    jsonHeaders(
      response,
      parts.reduce((sum, { length }) => sum + length, 0),
      extra,
    ),
  );
  for (const part of parts) if (!(await writeChunk(response, part))) return;
  response.end();
}

/** Sends a whole text that is looked at by programs, and is another one the next time. */
export function sendText(
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
): void {
  const connection = response.shouldKeepAlive ? "keep-alive" : "close";
  const headers = [
    "content-type",
    contentType,
    "content-length",
    String(Buffer.byteLength(text)),
    "connection",
    connection,
    "cache-control",
    "no-store",
    ...noSniff,
  ];
  response.writeHead(status, headers);
  response.end(text);
}

/**
 * Sends an answer to a request whose body was not read to its end. The connection cannot be used again; the rest of
 * the body is thrown away for a moment, because a connection cut while data arrives takes the answer with it.
 */
export function sendJsonAndClose(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  extra?: readonly string[],
): void {
  response.shouldKeepAlive = false;
  response.writeHead(status, jsonHeaders(response, Buffer.byteLength(text), extra));
  response.write(text);
  endWhenRead(request, response);
}

/**
 * Ends an answer that may have been given before the request was read to its end: what still comes is thrown away for
 * a moment, then the connection is cut.
 */
export function endWhenRead(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || response.destroyed) {
    response.end();
    return;
  }
  // A request whose reader stopped has none any more, and an answer that waits for its turn has none yet.
  const socket: Socket | null = response.socket ?? request.socket;
  const finish = () => {
    clearTimeout(timer);
    request.off("end", finish).off("close", finish);
    response.end(() => {
      if (!request.complete) socket?.destroySoon();
    });
  };
  const timer = setTimeout(finish, limits.drainMs);
  request.on("end", finish).on("close", finish).resume();
}

/** Resolves when the response can take more, false when the client is gone: one that takes nothing for idleMs is cut. */
export function writeChunk(
  response: ServerResponse,
  chunk: string | Uint8Array,
  idleMs: number = limits.streamIdleMs,
): Promise<boolean> | boolean {
  if (response.destroyed) return false;
  if (response.write(chunk)) return true;
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      response.off("drain", settle).off("close", settle);
      resolve(!response.destroyed);
    };
    const timer = setTimeout(() => response.destroy(), idleMs);
    response.on("drain", settle).on("close", settle);
  });
}
