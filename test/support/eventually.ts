import { setTimeout as sleep } from "node:timers/promises";

export interface EventuallyOptions {
  /** Deadline in milliseconds. Default: 20 000. */
  timeoutMs?: number;
  /** Time between two evaluations in milliseconds. Default: 5. */
  intervalMs?: number;
  /** Describes the state that the condition depends on, for the error. */
  state?: () => unknown;
}

/**
 * Waits until a condition returns a truthy value, and returns that value. Rejects if the condition throws, or if it does
 * not hold before the deadline.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 20_000, intervalMs = 5, state }: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | undefined>;
    if (Date.now() > deadline) {
      const last = state ? `; last state: ${JSON.stringify(state())}` : "";
      throw new Error(`Condition not met within ${timeoutMs} ms: ${String(condition)}${last}`);
    }
    await sleep(intervalMs);
  }
}
