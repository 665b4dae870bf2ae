import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { encodeUtf8 } from "../../document/utf8.js";
import { limits } from "../../limits.js";
import { endTogether } from "./end-together.js";

/**
 * Sent with every response: browsers must not interpret JSON or backup data as a page or script.
 */
export const noSniff = ["x-content-type-options", "nosniff"] as const;

/** Returns the headers of a JSON response in the order used by Xenon, without Date and Server. */
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

/** Sends a complete JSON response. An empty text is sent with a content type too. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  extra?: readonly string[],
): void {
  response.writeHead(status, jsonHeaders(response, Buffer.byteLength(text), extra));
  endTogether(response, text);
}

/** Like sendJson, but yields to the event loop while encoding a long text. */
export async function sendLongJson(
  response: ServerResponse,
  status: number,
  text: string,
  extra?: readonly string[],
): Promise<void> {
  if (text.length <= limits.decodeSliceBytes) {
    sendJson(response, status, text, extra);
    return;
  }
  await sendJsonParts(response, status, await encodeUtf8(text), extra);
}

/** Like sendJson, for JSON that is already encoded. */
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

/** Sends a complete text response that must not be cached. */
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
 * Responds to a request whose body was not read to its end and closes the connection. The rest of
 * the body is discarded for up to limits.refusedBodyDrainMs, because closing a connection while data arrives
 * can lose the response.
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
 * Ends a response that may have been sent before the request was read to its end. Discards the rest
 * of the request for up to limits.refusedBodyDrainMs, then closes the connection.
 */
export function endWhenRead(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || response.destroyed) {
    response.end();
    return;
  }
  // The request loses its socket when its reader stops; a queued response has no socket yet.
  const socket: Socket | null = response.socket ?? request.socket;
  const finish = () => {
    clearTimeout(timer);
    request.off("end", finish).off("close", finish);
    response.end(() => {
      if (!request.complete) socket?.destroySoon();
    });
  };
  const timer = setTimeout(finish, limits.refusedBodyDrainMs);
  request.on("end", finish).on("close", finish).resume();
}

/**
 * Writes a chunk and resolves to true when the response can accept more, or to false if the client
 * disconnected. Closes the connection if the client reads nothing for idleMs milliseconds (default:
 * limits.streamIdleMs).
 */
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
