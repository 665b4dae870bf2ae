import { HostError } from "../errors.js";

/** What is known of a backup at a destination. */
export interface PruneCandidate {
  name: string;
  complete: boolean;
  createTimeMicros: bigint;
  /** The index that it is of: rules count for each by itself. */
  indexId: string;
}

export interface PruneRule {
  /** These very ones. */
  names: string[];
  /** Of each index all complete ones but so many of the newest. */
  keep?: number;
  /** All complete ones made before, but never the newest of an index. */
  olderThanMicros?: bigint;
}

/**
 * The names of the backups to remove, oldest first. `backups` are as a host lists them, newest first: their order does not depend on
 * the clocks that their times came from. REQUEST_INVALID for a rule that says nothing or two things.
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
      "Say which backups to remove, in one way: their names, --keep N, or --older-than TIME.",
    );
  if (names.length > 0) return [...new Set(names)];
  const newestFirst = backups.filter(({ complete }) => complete);
  const kept = new Map<string, number>();
  const beyond = newestFirst.filter(({ indexId }) => {
    const count = (kept.get(indexId) ?? 0) + 1;
    kept.set(indexId, count);
    return count > (keep ?? 1);
  });
  const chosen = beyond.filter(
    ({ createTimeMicros }) => olderThanMicros === undefined || createTimeMicros < olderThanMicros,
  );
  return chosen.reverse().map(({ name }) => name);
}
