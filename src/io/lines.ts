import type { HostError } from "../errors.js";

/** Options of splitLines. */
export interface SplitLinesOptions {
  /** A longer line fails, before it is read to its end. */
  maxBytes: number;
  /** Returns the error for a line over `maxBytes`. Numbers start at 1. */
  tooLong(line: number): HostError;
  /** Receives each change of the number of buffered bytes. Default: none. */
  onBuffered?(change: number): void;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/** Splits a stream into its non-empty lines, without line endings (LF or CRLF). */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  { maxBytes, tooLong, onBuffered = () => {} }: SplitLinesOptions,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  let lines = 0;
  const takeLine = (end: Buffer) => {
    const line = parts.length === 0 ? end : Buffer.concat([...parts, end]);
    onBuffered(-size);
    parts = [];
    size = 0;
    lines += 1;
    return line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const line = takeLine(chunk.subarray(start, end));
      start = end + 1;
      if (line.length > 0) yield line;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    size += chunk.length - start;
    onBuffered(chunk.length - start);
    if (size > maxBytes) throw tooLong(lines + 1);
  }
  const last = takeLine(Buffer.alloc(0));
  if (last.length > 0) yield last;
}
