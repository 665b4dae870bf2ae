import type { Segment } from "../../segment/manifest.js";
import type { AutoBackupPace } from "../../io/platform-options.js";
import { limits } from "../../limits.js";

/** A range of the log that one segment shall hold where several do. */
export interface MergePlan {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
}

/** How much larger the segments of one tier are than those of the tier below. */
const tierRatio = 4;

/** Small ones are all alike: a segment takes some pages even when it holds one row. */
const smallestTierBytes = 128 * 1024;

function tierOf({ sizeBytes }: Segment): number {
  return Math.max(0, Math.floor(Math.log(sizeBytes / smallestTierBytes) / Math.log(tierRatio)) + 1);
}

/**
 * What to merge of a chain that grows all the time; undefined: nothing yet. All of it becomes a new base once the deltas
 * exceed half of the base. Before that, deltas at the end of the chain are merged when there are so many of one tier of
 * size: so each row is written again once for each tier, and the chain is as long as there are tiers, times that many.
 */
export function planMerge(
  segments: readonly Segment[],
  pace: AutoBackupPace = {},
): MergePlan | undefined {
  const { mergeDeltas = limits.autoMergeDeltas, mergeBytes = limits.autoMergeBytes } = pace;
  const [base, ...deltas] = segments;
  const last = deltas.at(-1);
  if (!base || !last) return undefined;
  const deltaBytes = deltas.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (deltaBytes > Math.max(base.sizeBytes / 2, mergeBytes))
    return { kind: "base", firstMicros: 0, lastMicros: last.lastMicros };
  const highest = Math.max(...deltas.map(tierOf));
  // The highest tier first: what is merged into it takes the lower ones along.
  for (let tier = highest; tier >= 0; tier -= 1) {
    const from = deltas.findLastIndex((delta) => tierOf(delta) > tier) + 1;
    const tail = deltas.slice(from);
    const first = tail[0];
    // Where sizes change, small ones may stand between large ones: they are merged with those when they become many.
    if (
      first &&
      (tail.filter((delta) => tierOf(delta) === tier).length >= mergeDeltas ||
        tail.length >= 4 * mergeDeltas)
    ) {
      return { kind: "delta", firstMicros: first.firstMicros, lastMicros: last.lastMicros };
    }
  }
  return undefined;
}

/** Replaces the segments of a range by one; undefined if the chain no longer has that range. */
export function replaceMerged(chain: readonly Segment[], merged: Segment): Segment[] | undefined {
  const from = chain.findIndex(
    ({ kind, firstMicros }) => kind === merged.kind && firstMicros === merged.firstMicros,
  );
  const to = chain.findIndex(({ lastMicros }) => lastMicros === merged.lastMicros);
  if (from < 0 || to <= from) return undefined;
  return [...chain.slice(0, from), merged, ...chain.slice(to + 1)];
}
