import type { ContainerReader, StagedSegment } from "./container.js";

/**
 * Reads one backup whose files are in several archives: the first has the manifest, the others hold
 * segments that it builds on. A segment is taken from the first archive that has it.
 */
export function compositeReader(
  first: ContainerReader,
  others: readonly ContainerReader[],
): ContainerReader {
  const all = [first, ...others];

  async function holderOf(name: string, signal: AbortSignal): Promise<ContainerReader> {
    for (const reader of all) if ((await reader.sizeOf(name, signal)) !== undefined) return reader;
    return first;
  }

  return {
    kind: "ZIP",
    displayName: first.displayName,
    manifests: (signal) => first.manifests(signal),
    sizeOf: async (name, signal) => (await holderOf(name, signal)).sizeOf(name, signal),
    async fetch(wanted, signal, onBytes) {
      const shares = new Map<ContainerReader, StagedSegment[]>();
      for (const one of wanted) {
        const holder = await holderOf(one.segment.name, signal);
        shares.set(holder, [...(shares.get(holder) ?? []), one]);
      }
      for (const [reader, share] of shares) await reader.fetch(share, signal, onBytes);
    },
    async *bytesOf(segment, signal) {
      yield* (await holderOf(segment.name, signal)).bytesOf(segment, signal);
    },
    async close() {
      for (const reader of all) await reader.close();
    },
  };
}
