import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Handles a request, or resolves to false without touching it. The signal aborts when the client
 * disconnects or the grace period of a shutdown ends; it is created on first use, because creating
 * it costs a tenth of a write. Thrown errors are passed to sendError.
 */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  signal: () => AbortSignal,
) => Promise<boolean>;
