import { setImmediate as turn } from "node:timers/promises";

interface ManualTimer {
  atMs: number;
  callback: () => void;
}

/** A clock that only moves when a test advances it. Starts at the current time. */
export class ManualClock {
  private readonly timers = new Set<ManualTimer>();
  private currentMs = Date.now();

  readonly nowMs = (): number => this.currentMs;

  readonly setTimer = (callback: () => void, ms: number): { clear(): void } => {
    const timer = { atMs: this.currentMs + ms, callback };
    this.timers.add(timer);
    return { clear: () => void this.timers.delete(timer) };
  };

  /** Moves the clock, and calls the timers on the way at their times. */
  async advance(ms: number): Promise<void> {
    const endMs = this.currentMs + ms;
    for (;;) {
      const [next] = [...this.timers]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      this.timers.delete(next);
      this.currentMs = Math.max(this.currentMs, next.atMs);
      next.callback();
      await turn();
    }
    this.currentMs = endMs;
    await turn();
  }

  /** Times to the pending timers in milliseconds, in order. */
  pending(): number[] {
    return [...this.timers].map(({ atMs }) => atMs - this.currentMs).sort((a, b) => a - b);
  }
}
