import type { ContainerReader, StagedSegment } from "./container.js";

/**
 * Combines several archives to one backup: the first contains the manifest, and the others contain
 * further segments. Each segment is read from the first archive that contains it.
 */
export function compositeReader(
  first: ContainerReader,
  others: readonly ContainerReader[],
): ContainerReader {
  const all = [first, ...others];

  async function readerOf(name: string, signal: AbortSignal): Promise<ContainerReader> {
    for (const reader of all) if ((await reader.sizesOf([name], signal)).has(name)) return reader;
    return first;
  }

  return {
    kind: "ZIP",
    displayName: first.displayName,
    decryptWith: first.decryptWith,
    manifests: (signal) => first.manifests(signal),
    async sizesOf(names, signal) {
      const sizes = new Map<string, number>();
      for (const reader of [...all].reverse())
        for (const [name, size] of await reader.sizesOf(names, signal)) sizes.set(name, size);
      return sizes;
    },
    async fetch(wanted, signal, onBytes) {
      const shares = new Map<ContainerReader, StagedSegment[]>();
      for (const staged of wanted) {
        const reader = await readerOf(staged.segment.name, signal);
        shares.set(reader, [...(shares.get(reader) ?? []), staged]);
      }
      for (const [reader, share] of shares) await reader.fetch(share, signal, onBytes);
    },
    async *bytesOf(segment, signal) {
      yield* (await readerOf(segment.name, signal)).bytesOf(segment, signal);
    },
    async close() {
      for (const reader of all) await reader.close();
    },
  };
}
