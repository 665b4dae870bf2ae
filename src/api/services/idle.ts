import { HostError } from "../../errors.js";

/** Passes a stream on; throws STREAM_IDLE when nothing has come for so long, and the signal's reason when it aborts. */
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
    // Not awaited: an iterator that still waits for its sender would hold this up for as long.
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
            `Nothing came for ${idleMs / 1000} s, so the stream was ended; go on with it from where it is.`,
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
