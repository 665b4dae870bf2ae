import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Splits a stream into its non-empty lines, without line endings (LF or CRLF). Throws
 * REQUEST_INVALID for a line longer than limits.documentBytes, before it is read to its end.
 */
export async function* ndjsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  let lineCount = 0;
  const takeLine = (end: Buffer) => {
    const line = Buffer.concat([...parts, end]);
    parts = [];
    size = 0;
    lineCount += 1;
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = takeLine(chunk.subarray(start, end));
      start = end + 1;
      if (line.length > 0) yield line;
    }
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > limits.documentBytes)
      throw new HostError(
        "REQUEST_INVALID",
        `Line ${lineCount + 1} exceeds the document limit of 16 MiB. Check that the input is NDJSON, with one document per line.`,
      );
  }
  const last = takeLine(Buffer.alloc(0));
  if (last.length > 0) yield last;
}
