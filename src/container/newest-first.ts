import type { Manifest } from "../segment/manifest.js";
import { parseManifestName } from "../segment/format.js";
import type { FoundManifest } from "./container.js";

type History = Pick<Manifest, "indexId" | "lineage" | "parents" | "positionMicros">;

/** Returns a key for the history of a manifest: its index and lineage. */
export const historyKey = ({ indexId, lineage }: Pick<Manifest, "indexId" | "lineage">) =>
  JSON.stringify([indexId, lineage]);

/**
 * Sorts the manifests of one destination, newest first: by ancestry of the lineages of one index (a
 * lineage that a restore started is newer than the replaced one), then by position in the log, then
 * by the end of the window, which no later snapshot of a log precedes, then by number: that begins
 * anew where a destination was emptied. Another index that was restored from this one is a fork: both may continue, and the one
 * with the greater position is newer. Creation times are ignored, because clocks may be wrong and
 * manifests may be forged. A damaged manifest comes before those with smaller numbers.
 */
export function newestFirst(found: readonly FoundManifest[]): FoundManifest[] {
  const readable = found.flatMap((one) => ("file" in one ? [one] : []));
  const reach = reachOf(readable.map(({ file }) => file.manifest));
  const rank = ({ file: { manifest } }: (typeof readable)[number]) => ({
    reach: reach.get(historyKey(manifest)) ?? 0,
    generations: manifest.parents.length,
    position: manifest.positionMicros,
    windowEnd: manifest.window.latestMicros,
    number: manifest.number,
    key: historyKey(manifest),
  });
  const ordered: FoundManifest[] = readable
    .map((one) => ({ one, rank: rank(one) }))
    .sort(
      ({ rank: a }, { rank: b }) =>
        b.reach - a.reach ||
        b.generations - a.generations ||
        (a.key === b.key ? 0 : a.key < b.key ? -1 : 1) ||
        b.position - a.position ||
        b.windowEnd - a.windowEnd ||
        b.number - a.number,
    )
    .map(({ one }) => one);
  for (const damaged of found.filter((one) => "problem" in one)) {
    const older = ordered.findIndex((one) => numberOf(one) < numberOf(damaged));
    ordered.splice(older < 0 ? ordered.length : older, 0, damaged);
  }
  return ordered;
}

const numberOf = ({ name }: FoundManifest) => parseManifestName(name)?.number ?? 0;

/**
 * Returns the greatest position of each lineage and its ancestors of the same index, so that a
 * descendant never has less than its ancestor.
 */
function reachOf(manifests: readonly History[]): Map<string, number> {
  const own = new Map<string, number>();
  for (const manifest of manifests)
    own.set(
      historyKey(manifest),
      Math.max(own.get(historyKey(manifest)) ?? 0, manifest.positionMicros),
    );
  const reach = new Map<string, number>();
  for (const manifest of manifests) {
    const key = historyKey(manifest);
    if (reach.has(key)) continue;
    reach.set(
      key,
      manifest.parents.reduce(
        (most, parent) =>
          parent.indexId === manifest.indexId
            ? Math.max(most, own.get(historyKey(parent)) ?? 0)
            : most,
        own.get(key) ?? 0,
      ),
    );
  }
  return reach;
}
