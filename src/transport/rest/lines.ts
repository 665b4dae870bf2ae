import { isUtf8 } from "node:buffer";
import { HostError } from "../../errors.js";

const newline = 0x0a;

/** The lines of a stream of bytes as text, empty ones left out; BODY_TOO_LARGE for one over the limit, JSON_INVALID for bytes that are no UTF-8. */
export async function* linesOf(bytes: AsyncIterable<Buffer>, maxBytes: number, signal: AbortSignal): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  const take = (last: Buffer): string => {
    const line = rest.length === 0 ? last : Buffer.concat([...rest, last]);
    rest = [];
    restBytes = 0;
    if (!isUtf8(line)) throw new HostError("JSON_INVALID", "A line is not UTF-8.");
    return line.toString("utf8").trim();
  };
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = take(chunk.subarray(from, end));
      from = end + 1;
      if (line !== "") yield line;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > maxBytes) throw new HostError("BODY_TOO_LARGE", `A line is larger than ${maxBytes} bytes.`);
  }
  const line = take(Buffer.alloc(0));
  if (line !== "") yield line;
}
