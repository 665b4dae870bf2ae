import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** The lines of a stream that are not empty, as bytes without their ends. REQUEST_INVALID for one longer than a document may be. */
export async function* ndjsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 0;
  const take = (end: Buffer) => {
    const line = Buffer.concat([...parts, end]);
    parts = [];
    size = 0;
    number += 1;
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      const line = take(chunk.subarray(from, at));
      from = at + 1;
      if (line.length > 0) yield line;
    }
    parts.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > limits.documentBytes)
      throw new HostError(
        "REQUEST_INVALID",
        `Line ${number + 1} is longer than the 16 MiB of a document: is this NDJSON, one document a line?`,
      );
  }
  const last = take(Buffer.alloc(0));
  if (last.length > 0) yield last;
}
