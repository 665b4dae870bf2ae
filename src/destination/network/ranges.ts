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
