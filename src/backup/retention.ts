import { HostError } from "../errors.js";

/** A backup that may be pruned. */
export interface PruneCandidate {
  name: string;
  complete: boolean;
  createTimeMicros: bigint;
  /** The index that was backed up; rules apply to each index separately. */
  indexId: string;
}

/** Which backups to remove. Exactly one member must be set. */
export interface PruneRule {
  /** The backups with these names; empty if unset. */
  names: string[];
  /** All complete backups of each index except the newest `keep`. */
  keep?: number;
  /**
   * All complete backups created before this time, except the newest of each index. Microseconds
   * since 1970.
   */
  olderThanMicros?: bigint;
}

/**
 * Returns the names of the backups to remove, oldest first. `backups` must be in the order a host
 * lists them, newest first; unlike their times, that order does not depend on clocks. Throws
 * REQUEST_INVALID unless exactly one rule is set.
 */
export function namesToPrune(
  backups: readonly PruneCandidate[],
  { names, keep, olderThanMicros }: PruneRule,
): string[] {
  const rules = [names.length > 0, keep !== undefined, olderThanMicros !== undefined].filter(
    Boolean,
  ).length;
  if (rules !== 1)
    throw new HostError(
      "REQUEST_INVALID",
      "Select the backups to remove in exactly one way: by name, with --keep N, or with --older-than TIME.",
    );
  if (names.length > 0) return [...new Set(names)];
  const newestFirst = backups.filter(({ complete }) => complete);
  const counts = new Map<string, number>();
  const notKept = newestFirst.filter(({ indexId }) => {
    const count = (counts.get(indexId) ?? 0) + 1;
    counts.set(indexId, count);
    return count > (keep ?? 1);
  });
  const selected = notKept.filter(
    ({ createTimeMicros }) => olderThanMicros === undefined || createTimeMicros < olderThanMicros,
  );
  return selected.reverse().map(({ name }) => name);
}
