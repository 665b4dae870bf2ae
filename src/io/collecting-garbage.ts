const collectEveryBytes = 32 * 1024 * 1024;

/**
 * Passes chunks on and collects garbage regularly, because V8 does not count the memory of buffers. Needs
 * a process that was started with --expose-gc.
 */
export async function* collectingGarbage<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
): AsyncGenerator<T> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    if (bytes < collectEveryBytes) continue;
    bytes = 0;
    // A full collection, because minor ones do not free old chunks. It is fast, as the heap is
    // small.
    globalThis.gc?.();
  }
}
