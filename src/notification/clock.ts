/** Clock and timers of notifications. */
export interface NotificationClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls back once after a time. */
  setTimer(callback: () => void, ms: number): { clear(): void };
}

/** Waits. Throws the reason of the signal if it is aborted. */
export function pause(clock: NotificationClock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const abort = () => {
      timer.clear();
      reject(signal.reason as Error);
    };
    const timer = clock.setTimer(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
