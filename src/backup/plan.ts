import type { IndexState } from "../engine/engine.js";
import type { StoredManifest } from "../segment/manifest.js";
import { limits } from "../limits.js";

/** What a backup will write, and why. */
export type BackupPlan =
  | { kind: "base"; reason: string; previous?: StoredManifest }
  | {
      kind: "delta";
      previous: StoredManifest;
      /** Segments of the chain that stay. */ keep: number;
      afterMicros: number;
    }
  | { kind: "unchanged"; previous: StoredManifest };

export interface PlanInput {
  snapshot: Pick<IndexState, "indexId" | "lineage" | "positionMicros">;
  /** The newest readable manifest of the same index and lineage, whether its segments are all there, and whether its last check found damage. */
  chain: { file: StoredManifest; whole: boolean; damaged?: boolean } | undefined;
  /** Backups that claim to be of this index and lineage, and that this host has no record of. */
  strangers?: number;
  /** A new base even where a delta would do. */
  full: boolean;
  /** A delta is added however long the chain has become: somebody merges it beside. */
  append: boolean;
}

/** Decides from what is at the destination; touches nothing. Cost follows what changed, not what exists. */
export function planBackup({
  snapshot,
  chain,
  strangers = 0,
  full,
  append,
}: PlanInput): BackupPlan {
  if (!chain)
    return {
      kind: "base",
      reason:
        strangers > 0
          ? "the backups of this index that are there are not in the host's record of what it wrote"
          : "no backup of this index and lineage is there",
    };
  const { file, whole, damaged = false } = chain;
  const { segments, positionMicros } = file.manifest;
  const base = segments[0];
  const because = (reason: string): BackupPlan => ({ kind: "base", reason, previous: file });
  if (full) return because("a full backup was asked for");
  if (damaged) return because("the last check of the chain found damage");
  if (!whole || !base) return because("a segment of the chain is missing or has another size");
  if (positionMicros > snapshot.positionMicros) return because("the chain goes beyond the index");
  if (positionMicros === snapshot.positionMicros) return { kind: "unchanged", previous: file };
  if (base.lastMicros === 0) return because("the base is empty");
  const deltaBytes = segments.slice(1).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (append && segments.length - 1 < limits.chainDeltasMax)
    return { kind: "delta", previous: file, keep: segments.length, afterMicros: positionMicros };
  if (deltaBytes > base.sizeBytes / 2) return because("the deltas exceed half of the base");
  if (segments.length - 1 >= limits.chainDeltas)
    return { kind: "delta", previous: file, keep: 1, afterMicros: base.lastMicros };
  return { kind: "delta", previous: file, keep: segments.length, afterMicros: positionMicros };
}
