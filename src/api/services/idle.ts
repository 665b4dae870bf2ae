import { HostError } from "../../errors.js";

/**
 * Passes a stream through. Throws STREAM_IDLE if no item arrives for idleMs milliseconds, and the
 * reason of the signal when it aborts.
 */
export async function* withIdleLimit<T>(
  items: AsyncIterable<T>,
  idleMs: number,
  signal: AbortSignal,
): AsyncGenerator<T, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await within(iterator.next(), idleMs, signal);
      if (step.done) return undefined;
      yield step.value;
    }
  } finally {
    // Not awaited, because an iterator that waits for its sender returns only after that.
    void iterator.return?.().then(undefined, () => {});
  }
}

function within<T>(next: Promise<T>, idleMs: number, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      act();
    };
    const abort = () => settle(() => reject(HostError.from(signal.reason)));
    const timer = setTimeout(() => {
      settle(() =>
        reject(
          new HostError(
            "STREAM_IDLE",
            `Stream ended: no data received for ${idleMs / 1000} s. Resume it from the committed offset.`,
          ),
        ),
      );
    }, idleMs);
    signal.addEventListener("abort", abort);
    next.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) =>
        settle(() => reject(error instanceof Error ? error : HostError.from(error))),
    );
    if (signal.aborted) abort();
  });
}
