import { crc32 } from "node:zlib";

/** What ZIP and gzip state about the data that they compress. */
export interface ContentSum {
  crc: number;
  sizeBytes: number;
}

/** Passes chunks on, and adds them to a sum. */
export async function* summed(
  chunks: AsyncIterable<Uint8Array>,
  sum: ContentSum,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    sum.crc = crc32(chunk, sum.crc);
    sum.sizeBytes += chunk.length;
    yield chunk;
  }
}
