import { limits } from "../../limits.js";

/** A range of bytes, with both ends included. */
export interface ByteRange {
  first: number;
  last: number;
}

const step = 64 * 1024;

/** Returns the range size for a file: 1/64 of it, within the limits. */
export function chunkBytes(total: number): number {
  const wanted = Math.ceil(total / 64 / step) * step;
  return Math.min(limits.httpChunkBytesMax, Math.max(limits.httpChunkBytesMin, wanted));
}

/** Returns adjacent ranges of [from, total). */
export function* rangesOf(
  from: number,
  total: number,
  size = chunkBytes(total),
): Generator<ByteRange> {
  for (let first = from; first < total; first += size)
    yield { first, last: Math.min(first + size, total) - 1 };
}

/** A parsed Content-Range header. */
export interface ContentRange extends ByteRange {
  total: number;
}

/** Parses `bytes a-b/total`. Returns undefined for another text, including an unknown total. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const [, first, last, total] =
    /^bytes +(\d{1,16})-(\d{1,16})\/(\d{1,16})$/i.exec(header?.trim() ?? "") ?? [];
  if (total === undefined || !Number.isSafeInteger(Number(total))) return undefined;
  return { first: Number(first), last: Number(last), total: Number(total) };
}

/**
 * Calls `work` for the ranges in order, `concurrency` at a time. The first failure aborts the
 * others and is thrown.
 */
export async function eachRange(
  ranges: Iterable<ByteRange>,
  concurrency: number,
  signal: AbortSignal,
  work: (range: ByteRange, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const next = ranges[Symbol.iterator]();
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
