import { promisify } from "node:util";
import { constants, deflateRaw } from "node:zlib";
import { limits } from "../limits.js";

const deflate = promisify(deflateRaw);
/** Distance over which deflate finds repetitions. */
const windowBytes = 32 * 1024;
/** More than an incompressible block takes, so that one call of a thread compresses a block. */
const outputBytes = limits.deflateBlockBytes + 4 * 1024;

/**
 * Compresses data to one raw deflate stream at level 1, using several cores. Blocks of
 * limits.deflateBlockBytes are compressed concurrently, each with the end of the previous block as
 * its dictionary and with a sync flush at its end. The result depends only on the data: neither on
 * how it is chunked nor on the number of cores. Reads ahead by limits.deflatingBlocks blocks. Chunks
 * must not be modified after they were yielded. Throws the errors of `chunks`.
 */
export async function* deflateBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const deflating: Promise<Buffer>[] = [];
  let dictionary: Uint8Array | undefined;
  const start = (block: Uint8Array, finishFlush: number) => {
    const deflated = deflate(block, {
      level: 1,
      chunkSize: outputBytes,
      finishFlush,
      ...(dictionary && { dictionary }),
    });
    // Awaited later, in the order of the blocks.
    deflated.catch(() => {});
    deflating.push(deflated);
    dictionary = block.subarray(-windowBytes);
  };
  // Starts when the next block is known, because the last block ends the stream.
  let waiting: Uint8Array | undefined;
  try {
    for await (const block of blocksOf(chunks)) {
      if (waiting) start(waiting, constants.Z_SYNC_FLUSH);
      waiting = block;
      const first = deflating.length < limits.deflatingBlocks ? undefined : deflating.shift();
      if (first) yield await first;
    }
    start(waiting ?? new Uint8Array(0), constants.Z_FINISH);
    for (let first = deflating.shift(); first; first = deflating.shift()) yield await first;
  } finally {
    // No thread works on after a failure.
    await Promise.allSettled(deflating);
  }
}

/** Divides data at multiples of limits.deflateBlockBytes. */
async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Uint8Array => {
    const [part] = parts;
    const block = part && parts.length === 1 ? part : Buffer.concat(parts, length);
    parts.length = 0;
    length = 0;
    return block;
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + limits.deflateBlockBytes - length);
      parts.push(part);
      length += part.length;
      at += part.length;
      if (length === limits.deflateBlockBytes) yield take();
    }
  }
  if (length > 0) yield take();
}
