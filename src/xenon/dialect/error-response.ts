import type { IncomingMessage, ServerResponse } from "node:http";
import { httpStatus, type HostError, type Reason } from "../../errors.js";
import { limits } from "../../limits.js";
import { sendJson, sendJsonAndClose } from "../../transport/http/respond.js";

/** Renders Xenon's ServiceErrorResponse, the body of every error response. */
export function errorText(error: HostError, status: number, message = error.message): string {
  return (
    `{"message":${JSON.stringify(message)},"statusCode":${status}` +
    `,"documentKind":"com:vmware:xenon:common:ServiceErrorResponse","errorCode":${errorCodes[error.reason] ?? 0}}`
  );
}

/** Values of Xenon's ERROR_CODE_* constants. */
const errorCodes: Partial<Record<Reason, number>> = {
  DOCUMENT_NOT_FOUND: -2147483648,
  ROUTE_NOT_FOUND: -2147483648,
  DOCUMENT_DELETED: -2147483646,
  DOCUMENT_MARKED_DELETED: -2147483646,
  DOCUMENT_EXISTS: -2147483645,
};

/** Sends an error response without waiting for the rest of the request body. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: HostError,
): void {
  const status =
    error.reason === "VERSION_MISMATCH" && request.headers["if-match"] !== undefined
      ? 412
      : httpStatus(error);
  const text = errorText(error, status, messageOf(error, request));
  const extra: string[] = [];
  if (status === 401) extra.push("www-authenticate", "Bearer");
  if (status === 503) extra.push("retry-after", "1");
  if (status === 416 && error.metadata["sizeBytes"] !== undefined)
    extra.push("content-range", `bytes */${error.metadata["sizeBytes"]}`);
  if (status === 405 && error.metadata["allow"] !== undefined)
    extra.push("allow", error.metadata["allow"]);
  if (canDrainBody(request)) sendJson(response, status, text, extra);
  else sendJsonAndClose(request, response, status, text, extra);
}

/** Words an error as Xenon does, for scripts that look for its messages. */
function messageOf({ reason, message, metadata }: HostError, request: IncomingMessage): string {
  const { link } = metadata;
  switch (reason) {
    case "DOCUMENT_NOT_FOUND":
    case "DOCUMENT_DELETED":
    case "ROUTE_NOT_FOUND":
      return `Service not found: ${urlOf(request, link)}`;
    case "INDEX_NOT_FOUND":
      return link === undefined ? message : `Service not found: ${link}`;
    case "DOCUMENT_EXISTS":
      return link === undefined ? message : `Service already started: ${link} stage: CREATED`;
    case "DOCUMENT_MARKED_DELETED":
      return link === undefined ? message : `Service marked deleted: ${link}`;
    default:
      return message;
  }
}

/**
 * Whether the unread body is short enough to be discarded, so that the connection can be reused.
 */
function canDrainBody(request: IncomingMessage): boolean {
  if (request.complete) return true;
  if (request.headers["transfer-encoding"] !== undefined) return false;
  return Number(request.headers["content-length"] ?? 0) <= limits.managementBodyBytes;
}

/**
 * Returns the URL of the request as in Xenon: with the local address instead of the Host header.
 */
function urlOf(request: IncomingMessage, link: string | undefined): string {
  const { localAddress = "", localPort = 0 } = request.socket;
  const address = localAddress.startsWith("::ffff:")
    ? localAddress.slice("::ffff:".length)
    : localAddress;
  const path = link ?? (request.url ?? "").split("?", 1)[0] ?? "";
  return `http://${address.includes(":") ? `[${address}]` : address}:${localPort}${path}`;
}
