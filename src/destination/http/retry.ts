import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { isPassing } from "./failure.js";

/** One try of a request. */
export interface Attempt {
  /** From 1. */
  number: number;
  /** After how long without movement it has failed: shorter where patience runs out sooner. */
  silenceMs: number;
  /** Reports progress: the time limit starts again. */
  progress(): void;
}

/**
 * Tries until it succeeds, fails for good, or got nowhere for the time that transfers have; pauses in between, longer
 * ones each time, or as long as the other end asked for.
 */
export async function retry<T>(
  platform: Pick<Platform, "transfer" | "randomHex">,
  signal: AbortSignal,
  attempt: (each: Attempt) => Promise<T>,
): Promise<T> {
  const {
    patienceMs = limits.httpRetryTimeoutMs,
    silenceMs = limits.httpIdleTimeoutMs,
    backOffMs = limits.httpBackOffMs,
  } = platform.transfer ?? {};
  let since = performance.now();
  let failures = 0;
  for (let number = 1; ; number += 1) {
    signal.throwIfAborted();
    let gotOn = false;
    const left = patienceMs - (performance.now() - since);
    try {
      return await attempt({
        number,
        silenceMs: Math.max(1, Math.min(silenceMs, left)),
        progress() {
          gotOn = true;
          since = performance.now();
        },
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!isPassing(error)) throw error;
      failures = gotOn ? 1 : failures + 1;
      const waitMs = waitBefore(error, failures, backOffMs, platform);
      if (performance.now() - since + waitMs >= patienceMs)
        throw givenUp(error, number, patienceMs);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Doubling from the last try that got on; between half and all of it, so that many waiters do not come back at once. */
function waitBefore(
  error: HostError,
  failures: number,
  backOffMs: number,
  platform: Pick<Platform, "randomHex">,
): number {
  const askedMs = Number(error.metadata["retryAfterSeconds"] ?? 0) * 1000;
  const whole = Math.min(limits.httpBackOffMaxMs, backOffMs * 2 ** Math.min(failures - 1, 20));
  return Math.max(askedMs, whole * (0.5 + Number.parseInt(platform.randomHex(2), 16) / 0x20000));
}

function givenUp(error: HostError, attempts: number, patienceMs: number): HostError {
  const tries = attempts === 1 ? "once" : `${attempts} times`;
  return new HostError(
    error.reason,
    `${error.message} Tried ${tries}; ${patienceMs / 1000} s without getting on is as long as a transfer waits.`,
    {
      metadata: error.metadata,
      cause: error,
    },
  );
}
