/** A task that runs in slices, sharing the scheduler with others. */
export interface ScheduledTask {
  /**
   * Runs a slice when the scheduler selects the task. Rejects with the reason of the signal if it
   * aborts before. One at a time.
   */
  run<T>(slice: () => Promise<T>): Promise<T>;
}

/** Schedules slices of tasks. */
export interface FairScheduler {
  /**
   * Adds a task. `expectedMs` estimates its run time, so that a short task does not wait for a
   * first slice of each long one.
   */
  add(expectedMs: number, signal: AbortSignal): ScheduledTask;
}

interface Waiter {
  spentMs: () => number;
  begin: () => void;
}

/**
 * Creates a scheduler that runs at most `concurrency` slices at a time. It alternates between the
 * task with the least run time so far (the newest, if several), so that short tasks finish soon,
 * and the task that has waited longest, so that every task makes progress.
 */
export function createFairScheduler(concurrency: number): FairScheduler {
  /** Waiting tasks, longest waiting first. */
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
    while (running < concurrency && waiting.length > 0) {
      running += 1;
      pick()?.begin();
    }
  }

  return {
    add(expectedMs, signal) {
      let spentMs = expectedMs;

      function untilSelected(): Promise<void> {
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
          // Deferred, so that a task whose slice just ended can compete for the next one.
          setImmediate(next);
        });
      }

      return {
        async run(slice) {
          await untilSelected();
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
