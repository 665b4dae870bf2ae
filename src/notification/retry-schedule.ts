import { limits } from "../limits.js";

/** Longest time from a failed attempt to the next one. */
export const longestPauseMs = Math.max(
  limits.deliveryRetryAfterMaxMs,
  Math.max(...limits.deliveryRetriesMs) * (1 + limits.deliveryJitterPercent / 100),
);

/**
 * Returns the pause in milliseconds after a failed attempt, with random jitter, or undefined if it was
 * the last one.
 *
 * @param tries Attempts so far, at least 1.
 * @param random From 0 to below 1.
 * @param retryAfterMs Pause that the server asks for; 0: none.
 */
export function pauseAfter(
  tries: number,
  random: number,
  retryAfterMs: number,
): number | undefined {
  const planned = limits.deliveryRetriesMs[tries - 1];
  if (planned === undefined) return undefined;
  const spread = Math.round(planned * (1 + (random * limits.deliveryJitterPercent) / 100));
  return Math.max(spread, Math.min(retryAfterMs, limits.deliveryRetryAfterMaxMs));
}
