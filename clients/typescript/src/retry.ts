import { setTimeout as sleep } from "node:timers/promises";

const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** How long work may fail without progress. Progress restarts it. */
const patienceMs = 60_000;

/** Records progress, which restarts the time limit for failures. */
export type Advanced = () => void;

/** Repeats work after transient failures, with growing pauses, until it fails without progress for a minute. */
export async function retrying<T>(
  mayPass: (error: unknown) => boolean,
  signal: AbortSignal | undefined,
  work: (advanced: Advanced) => Promise<T>,
): Promise<T> {
  let pauseMs = firstPauseMs;
  let since = performance.now();
  const advanced = () => {
    pauseMs = firstPauseMs;
    since = performance.now();
  };
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work(advanced);
    } catch (error) {
      if (signal?.aborted || !mayPass(error) || performance.now() - since > patienceMs) throw error;
    }
    await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, signal ? { signal } : {});
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}
