import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../limits.js";

/** What was last seen of a body that is still coming. */
interface Progress {
  bytes: number;
  sinceMs: number;
}

/** How fast bodies have to come; the host's are those of limits.ts. */
export interface BodyPace {
  timeoutMs: number;
  progressBytes: number;
  checkMs: number;
}

export const hostPace: BodyPace = {
  timeoutMs: limits.requestTimeoutMs,
  progressBytes: limits.bodyProgressBytes,
  checkMs: limits.bodyCheckMs,
};

/**
 * Cuts connections whose request body stalls. All are looked at now and then, so that a request that is there at once
 * costs nothing. What the host itself is slow to read is not held against its sender.
 */
export function watchBodies(
  inFlight: () => Iterable<ServerResponse>,
  pace: BodyPace,
): { stop(): void } {
  const seen = new WeakMap<IncomingMessage, Progress>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const { req: request, socket } of inFlight()) {
      // The request's own socket is gone where its reader stopped in the middle.
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
