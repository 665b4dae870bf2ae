import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";

/** Last observed progress of an incomplete body. */
interface Progress {
  bytes: number;
  sinceMs: number;
}

/**
 * Minimum speed of request bodies: progressBytes within timeoutMs, checked every checkMs
 * milliseconds.
 */
export interface BodyPace {
  timeoutMs: number;
  progressBytes: number;
  checkMs: number;
}

/** Default bounds. */
export const hostPace: BodyPace = {
  timeoutMs: limits.requestTimeoutMs,
  progressBytes: limits.bodyProgressBytes,
  checkMs: limits.bodyCheckMs,
};

/**
 * Closes connections whose request body stalls. All are checked periodically, so that requests that
 * arrive in one piece incur no cost. Time during which the host itself reads slowly does not count.
 */
export function watchBodies(
  inFlight: () => Iterable<ServerResponse>,
  pace: BodyPace,
): { stop(): void } {
  const seen = new WeakMap<IncomingMessage, Progress>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const { req: request, socket } of inFlight()) {
      // Uses the response's socket: the request loses its socket when its reader stops early.
      if (request.complete || socket === null) continue;
      const bytes = socket.bytesRead;
      const before = seen.get(request);
      if (
        before === undefined ||
        bytes - before.bytes >= pace.progressBytes ||
        request.readableLength > 0
      )
        seen.set(request, { bytes, sinceMs: now });
      else if (now - before.sinceMs >= pace.timeoutMs) socket.destroy();
    }
  }, pace.checkMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
