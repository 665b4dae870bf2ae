import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import type { Hold } from "../../security/shares.js";

const newline = 0x0a;

/**
 * Splits a stream of bytes into lines of text and skips empty ones. Buffered bytes are accounted
 * for in the hold. Throws BODY_TOO_LARGE for a line over maxBytes, and JSON_INVALID for bytes that
 * are not UTF-8.
 */
export async function* linesOf(
  bytes: AsyncIterable<Buffer>,
  maxBytes: number,
  signal: AbortSignal,
  hold: Hold,
): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  const take = async (last: Buffer): Promise<string> => {
    const line = rest.length === 0 ? last : Buffer.concat([...rest, last]);
    rest = [];
    hold.free(restBytes);
    restBytes = 0;
    return (await decodeUtf8(line, "A line")).trim();
  };
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = await take(chunk.subarray(from, end));
      from = end + 1;
      if (line !== "") yield line;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    hold.add(chunk.length - from);
    if (restBytes > maxBytes)
      throw new HostError("BODY_TOO_LARGE", `A line exceeds the limit of ${maxBytes} bytes.`);
  }
  const line = await take(Buffer.alloc(0));
  if (line !== "") yield line;
}
