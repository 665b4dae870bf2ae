import { limits } from "../../limits.js";
import { spanText } from "./backup-health.js";

interface LoggedIndex {
  link: string;
  positionMicros(): Promise<number>;
}

/** Options of watchClock. */
export interface ClockWatchOptions {
  indexes: readonly LoggedIndex[];
  nowMicros(): number;
  /**
   * Called with the problem, or undefined if the clock is correct, after the first check and on each
   * change.
   */
  onChange(problem: string | undefined): void;
  onError(error: unknown): void;
}

/**
 * Checks periodically whether the log of an index is ahead of the clock. New versions then get
 * times after the last one in the log, so that times, and requests for a point in time, are
 * inaccurate until the clock has caught up. Returns a function that stops the checks.
 */
export async function watchClock({
  indexes,
  nowMicros,
  onChange,
  onError,
}: ClockWatchOptions): Promise<() => Promise<void>> {
  let wasAhead: boolean | undefined;

  async function check(): Promise<void> {
    const problems: string[] = [];
    for (const { link, positionMicros } of indexes) {
      const aheadMicros = (await positionMicros()) - nowMicros();
      if (aheadMicros > limits.clockAheadWarnMs * 1000) {
        problems.push(
          `The log of ${link} is ${spanText(aheadMicros)} ahead of the clock: new versions get times in the future, so a restore to the current or a recent time omits them. Check the system clock.`,
        );
      }
    }
    const isAhead = problems.length > 0;
    if (isAhead !== wasAhead) onChange(isAhead ? problems.join(" ") : undefined);
    wasAhead = isAhead;
  }

  await check();
  let checking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    checking = checking.then(check).catch(onError);
  }, limits.clockCheckMs).unref();
  return async () => {
    clearInterval(timer);
    await checking;
  };
}
