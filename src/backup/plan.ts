import type { IndexState } from "../engine/engine.js";
import type { StoredManifest } from "../segment/manifest.js";
import { limits } from "../limits.js";

/** What a backup writes, and why. */
export type BackupPlan =
  | { kind: "base"; reason: string; previous?: StoredManifest }
  | {
      kind: "delta";
      previous: StoredManifest;
      /** Number of segments of the chain to keep. */ keep: number;
      afterMicros: number;
    }
  | { kind: "unchanged"; previous: StoredManifest };

export interface PlanInput {
  snapshot: Pick<IndexState, "indexId" | "lineage" | "positionMicros">;
  /** Newest readable manifest of the same index and lineage, whether all its segments exist, and whether its last verification found damage. */
  chain: { file: StoredManifest; whole: boolean; damaged?: boolean } | undefined;
  /** Number of backups that claim this index and lineage but are not in the record of this host. */
  strangers?: number;
  /** Writes a new base instead of a delta. */
  full: boolean;
  /** Why a new base is required in any case. Absent: it is not. */
  newBase?: string | undefined;
  /** Adds a delta regardless of the length of the chain, which is merged in the background. */
  append: boolean;
}

/** Plans a backup from the state of the destination. Changes nothing. The cost depends on the changes, not on the size of the index. */
export function planBackup({
  snapshot,
  chain,
  strangers = 0,
  full,
  append,
  newBase,
}: PlanInput): BackupPlan {
  if (!chain)
    return {
      kind: "base",
      reason:
        strangers > 0
          ? "the existing backups of this index are not in the record of this host"
          : "the destination has no backup of this index and lineage",
    };
  const { file, whole, damaged = false } = chain;
  const { segments, positionMicros } = file.manifest;
  const base = segments[0];
  const because = (reason: string): BackupPlan => ({ kind: "base", reason, previous: file });
  if (full) return because("a full backup was requested");
  if (newBase !== undefined) return because(newBase);
  if (damaged) return because("the last verification of the chain found damage");
  if (!whole || !base) return because("a segment of the chain is missing or has another size");
  if (positionMicros > snapshot.positionMicros)
    return because("the chain has later writes than the index");
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
