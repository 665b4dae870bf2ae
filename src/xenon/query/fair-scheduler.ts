/** One piece of work among others, which it does in slices. */
export interface Turns {
  /** Runs a slice when its turn has come; rejects with the signal's reason where that comes first. One at a time. */
  take<T>(slice: () => Promise<T>): Promise<T>;
}

export interface FairScheduler {
  /** `expectedMs`: a guess at what it takes, so that what is short need not wait until all that is long had a first slice. */
  join(expectedMs: number, signal: AbortSignal): Turns;
}

interface Waiter {
  spentMs: () => number;
  begin: () => void;
}

/**
 * Slices of many works, so many at a time. Every other slice is given to the one that has taken least, the newest of such: what is
 * short is soon done, however much that is long waits. The others are given to the one that has waited longest: all get on.
 */
export function createFairScheduler(atOnce: number): FairScheduler {
  /** Longest first. */
  const waiting: Waiter[] = [];
  let running = 0;
  let even = false;

  function pick(): Waiter | undefined {
    even = !even;
    if (!even) return waiting.shift();
    let least: Waiter | undefined;
    for (const each of waiting)
      if (least === undefined || each.spentMs() <= least.spentMs()) least = each;
    if (least) waiting.splice(waiting.indexOf(least), 1);
    return least;
  }

  function next(): void {
    while (running < atOnce && waiting.length > 0) {
      running += 1;
      pick()?.begin();
    }
  }

  return {
    join(expectedMs, signal) {
      let spentMs = expectedMs;

      function turn(): Promise<void> {
        return new Promise((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason as Error);
          const waiter: Waiter = { spentMs: () => spentMs, begin };
          const abort = () => {
            waiting.splice(waiting.indexOf(waiter), 1);
            reject(signal.reason as Error);
          };
          function begin() {
            signal.removeEventListener("abort", abort);
            resolve();
          }
          signal.addEventListener("abort", abort, { once: true });
          waiting.push(waiter);
          // Not in this turn of the loop: whose slice just ended may want the next one.
          setImmediate(next);
        });
      }

      return {
        async take(slice) {
          await turn();
          const begun = performance.now();
          try {
            return await slice();
          } finally {
            spentMs += performance.now() - begun;
            running -= 1;
            setImmediate(next);
          }
        },
      };
    },
  };
}
