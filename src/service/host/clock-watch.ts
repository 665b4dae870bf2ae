import { limits } from "../../limits.js";
import { spanText } from "./backup-health.js";

interface LoggedIndex {
  link: string;
  positionMicros(): Promise<number>;
}

export interface ClockWatchOptions {
  indexes: readonly LoggedIndex[];
  nowMicros(): number;
  /** Hears of each change, and of the first look: what is wrong, or undefined. */
  onChange(problem: string | undefined): void;
  onError(error: unknown): void;
}

/**
 * Looks from time to time whether the log of an index is ahead of the clock. Such a log goes on above its last time, so its times, and
 * every request for a point in time, say little until the clock has caught up.
 */
export async function watchClock({
  indexes,
  nowMicros,
  onChange,
  onError,
}: ClockWatchOptions): Promise<() => Promise<void>> {
  let wasAhead: boolean | undefined;

  async function look(): Promise<void> {
    const problems: string[] = [];
    for (const { link, positionMicros } of indexes) {
      const aheadMicros = (await positionMicros()) - nowMicros();
      if (aheadMicros > limits.clockAheadWarnMs * 1000) {
        problems.push(
          `The log of ${link} is ${spanText(aheadMicros)} ahead of the clock: new versions get times above its last one, so a restore to now or to a recent time leaves them out. Check the clock.`,
        );
      }
    }
    const isAhead = problems.length > 0;
    if (isAhead !== wasAhead) onChange(isAhead ? problems.join(" ") : undefined);
    wasAhead = isAhead;
  }

  await look();
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch(onError);
  }, limits.clockCheckMs).unref();
  return async () => {
    clearInterval(timer);
    await looking;
  };
}
