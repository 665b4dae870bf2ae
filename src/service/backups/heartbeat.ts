import { setTimeout as pause } from "node:timers/promises";

/** Yields the items of a source, and the result of `tick`, unless undefined, whenever the source is silent for the interval. */
export async function* withHeartbeat<T>(
  source: AsyncGenerator<T>,
  everyMs: number,
  tick: () => T | undefined,
): AsyncGenerator<T> {
  let next: Promise<IteratorResult<T>> | undefined;
  try {
    for (;;) {
      next ??= source.next();
      const result = await beforeOr(next, everyMs);
      if (result === undefined) {
        const beat = tick();
        if (beat !== undefined) yield beat;
        continue;
      }
      next = undefined;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    // A reader that left does not receive this error.
    next?.catch(() => {});
    await source.return(undefined);
  }
}

async function beforeOr<T>(awaited: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([awaited, pause(milliseconds, undefined, { signal: over.signal })]);
  } finally {
    over.abort();
  }
}
