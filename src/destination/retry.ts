import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";

/** An attempt of a request. */
export interface Attempt {
  /** Starts at 1. */
  number: number;
  /**
   * Time without traffic after which the attempt fails. At most the remaining time of all attempts.
   */
  idleTimeoutMs: number;
  /** Reports progress, which restarts the timeout. */
  progress(): void;
}

/**
 * Calls `attempt` until it succeeds or fails permanently, or until it made no progress for
 * `retryTimeoutMs` of the platform. Pauses with exponential backoff, or as long as Retry-After states.
 * Throws the last error.
 */
export async function retry<T>(
  platform: Pick<Platform, "transfer" | "randomHex">,
  signal: AbortSignal,
  attempt: (current: Attempt) => Promise<T>,
): Promise<T> {
  const {
    retryTimeoutMs = limits.httpRetryTimeoutMs,
    idleTimeoutMs = limits.httpIdleTimeoutMs,
    backOffMs = limits.httpBackOffMs,
  } = platform.transfer ?? {};
  let since = performance.now();
  let failures = 0;
  for (let number = 1; ; number += 1) {
    signal.throwIfAborted();
    let hasProgress = false;
    const left = retryTimeoutMs - (performance.now() - since);
    try {
      return await attempt({
        number,
        idleTimeoutMs: Math.max(1, Math.min(idleTimeoutMs, left)),
        progress() {
          hasProgress = true;
          since = performance.now();
        },
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!isTransientError(error)) throw error;
      failures = hasProgress ? 1 : failures + 1;
      const waitMs = waitBefore(error, failures, backOffMs, platform);
      if (performance.now() - since + waitMs >= retryTimeoutMs)
        throw timedOut(error, number, retryTimeoutMs);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/**
 * Returns a pause that doubles with each failure since the last progress, with random jitter of up
 * to half of it.
 */
function waitBefore(
  error: HostError,
  failures: number,
  backOffMs: number,
  platform: Pick<Platform, "randomHex">,
): number {
  const retryAfterMs = Number(error.metadata["retryAfterSeconds"] ?? 0) * 1000;
  const longest = Math.min(limits.httpBackOffMaxMs, backOffMs * 2 ** Math.min(failures - 1, 20));
  return Math.max(
    retryAfterMs,
    longest * (0.5 + Number.parseInt(platform.randomHex(2), 16) / 0x20000),
  );
}

function timedOut(error: HostError, attempts: number, retryTimeoutMs: number): HostError {
  const tries = attempts === 1 ? "once" : `${attempts} times`;
  return new HostError(
    error.reason,
    `${error.message} Tried ${tries} without progress for ${retryTimeoutMs / 1000} s.`,
    {
      metadata: error.metadata,
      cause: error,
    },
  );
}

/** Whether a retry may succeed. An unknown host name is most often a typo and is not retried. */
function isTransientError(thrown: unknown): thrown is HostError {
  return (
    thrown instanceof HostError &&
    thrown.reason === "DESTINATION_UNREACHABLE" &&
    thrown.metadata["errno"] !== "ENOTFOUND"
  );
}
