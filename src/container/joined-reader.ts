import type { ContainerReader, StagedSegment } from "./container.js";

/**
 * One backup whose files lie in several archives: the first has the manifest, each of the others segments that it builds
 * on. A segment is taken from the first that has it.
 */
export function joinReaders(
  first: ContainerReader,
  others: readonly ContainerReader[],
): ContainerReader {
  const all = [first, ...others];

  async function holderOf(name: string): Promise<ContainerReader> {
    for (const reader of all) if ((await reader.sizeOf(name)) !== undefined) return reader;
    return first;
  }

  return {
    // Its files lie in no directory together: they are fetched, as those of one archive are.
    kind: "ZIP",
    path: first.path,
    manifests: (signal) => first.manifests(signal),
    sizeOf: async (name) => (await holderOf(name)).sizeOf(name),
    async fetch(wanted, signal, onBytes) {
      const shares = new Map<ContainerReader, StagedSegment[]>();
      for (const one of wanted) {
        const holder = await holderOf(one.segment.name);
        shares.set(holder, [...(shares.get(holder) ?? []), one]);
      }
      for (const [reader, share] of shares) await reader.fetch(share, signal, onBytes);
    },
    async *bytesOf(segment, signal) {
      yield* (await holderOf(segment.name)).bytesOf(segment, signal);
    },
    async close() {
      for (const reader of all) await reader.close();
    },
  };
}
