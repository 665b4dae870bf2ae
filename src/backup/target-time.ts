import type { RestorableWindow } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { formatTime } from "../io/time.js";

/** A resolved target time: the time to cut at, or everything, with a warning where they differ from the request. */
export interface ResolvedTarget {
  targetTimeMicros?: number;
  warning?: string;
}

/**
 * Checks a target time against the window of a backup. Strict: TARGET_TIME_OUT_OF_RANGE for a time outside. Lenient, as
 * in Xenon: a time after the end restores everything, a time before the first version an empty index. A time that
 * compaction removed is refused in both modes.
 */
export function resolveTargetTime(
  target: bigint | undefined,
  window: RestorableWindow,
  lenient: boolean,
): ResolvedTarget {
  if (target === undefined) return {};
  const { earliestMicros, latestMicros, historyStartMicros, boundingLink } = window;
  const outside = (why: string) =>
    new HostError(
      "TARGET_TIME_OUT_OF_RANGE",
      `The target time ${formatTime(target)} ${why}. This backup can be restored to any time from ${formatTime(earliestMicros)} to ${formatTime(latestMicros)}; without a time, everything up to its end is restored.`,
      {
        metadata: {
          earliestMicros: String(earliestMicros),
          latestMicros: String(latestMicros),
          ...(boundingLink !== undefined && { boundingLink }),
        },
      },
    );
  if (target < 0n) throw outside("is negative");
  if (target > BigInt(latestMicros)) {
    if (lenient)
      return {
        warning: `The target time ${formatTime(target)} is after the end of the backup, ${formatTime(latestMicros)}: everything was restored.`,
      };
    throw outside("is after the end of the backup");
  }
  const targetTimeMicros = Number(target);
  if (targetTimeMicros >= earliestMicros) return { targetTimeMicros };
  if (lenient && (historyStartMicros === 0 || targetTimeMicros < historyStartMicros)) {
    return {
      targetTimeMicros,
      warning: `The target time ${formatTime(target)} is before the first version in the backup: the index was restored empty.`,
    };
  }
  throw outside(
    boundingLink === undefined
      ? "is before the first version in the backup"
      : `is not available: versions of ${boundingLink} from before the window were compacted`,
  );
}
