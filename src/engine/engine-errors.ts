import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** TARGET_TIME_OUT_OF_RANGE: `at`, `link` and `until` are formatted by the caller's compaction. */
export function compactedTime(at: string, link: string, until: string, untilMicros: number) {
  return new HostError(
    "TARGET_TIME_OUT_OF_RANGE",
    `The state at ${at} is not available: versions of ${link} from that time were compacted. Choose a time from ${until} on, or read a backup that contains it.`,
    { metadata: { earliestMicros: String(untilMicros), boundingLink: link } },
  );
}

/** INDEX_RESTORING: the index with a link is fenced. */
export const restoring = (link: string) =>
  new HostError(
    "INDEX_RESTORING",
    `${link} is being restored and refuses writes during the switch. Try again.`,
    { metadata: { retryAfterSeconds: "1" } },
  );

/** QUEUE_FULL: too many reads of an index wait. */
export const readQueueFull = (link: string) =>
  new HostError(
    "QUEUE_FULL",
    `${limits.readQueue} reads of ${link} are queued, which is the limit. Try again in a moment.`,
  );

/** Returns an update time, or throws INDEX_READ_ONLY beyond the last one that a backup can contain. */
export function checkedTime(time: number): number {
  if (time <= limits.maxTimeMicros) return time;
  throw new HostError(
    "INDEX_READ_ONLY",
    `The next update time, ${time}, is greater than ${limits.maxTimeMicros} (in the year 2112), the last one that an index supports. Check the clock of the machine. If the log itself is that far ahead, restore an older backup.`,
  );
}
