import { limits } from "../../limits.js";

/** Bytes of a file, both ends counted in. */
export interface ByteRange {
  first: number;
  last: number;
}

const step = 64 * 1024;

/** Sizes of the pieces of a transfer: about 64 of them, within the bounds. */
export function chunkBytes(total: number): number {
  const wanted = Math.ceil(total / 64 / step) * step;
  return Math.min(limits.httpChunkBytesMax, Math.max(limits.httpChunkBytesMin, wanted));
}

/** The ranges of [from, total), one after the other. */
export function* rangesOf(
  from: number,
  total: number,
  size = chunkBytes(total),
): Generator<ByteRange> {
  for (let first = from; first < total; first += size)
    yield { first, last: Math.min(first + size, total) - 1 };
}

export interface ContentRange extends ByteRange {
  total: number;
}

/** `bytes a-b/total`; undefined for anything else, an unknown total included. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const [, first, last, total] =
    /^bytes +(\d{1,16})-(\d{1,16})\/(\d{1,16})$/i.exec(header?.trim() ?? "") ?? [];
  if (total === undefined || !Number.isSafeInteger(Number(total))) return undefined;
  return { first: Number(first), last: Number(last), total: Number(total) };
}

/** Does the work for each range, several at a time and begun in order; the first failure ends the others. */
export async function eachRange(
  ranges: Iterable<ByteRange>,
  atOnce: number,
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
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (signal.aborted) throw signal.reason;
  if (first) throw first.error;
}
