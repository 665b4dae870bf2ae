/**
 * Calls `work` for the items in order, `concurrency` at a time. The first failure aborts the others
 * and is thrown.
 */
export async function eachConcurrently<T>(
  items: Iterable<T>,
  concurrency: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const next = items[Symbol.iterator]();
  let first: { error: unknown } | undefined;
  const worker = async () => {
    try {
      for (let each = next.next(); !each.done && !either.aborted; each = next.next())
        await work(each.value, either);
    } catch (error) {
      first ??= { error };
      failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (signal.aborted) throw signal.reason;
  if (first) throw first.error;
}
