import { limits } from "../limits.js";

/** Versions written in an interval of time. */
export interface ActivityBucket {
  startMicros: number;
  created: number;
  updated: number;
  deleted: number;
}

/** Asks how many versions were written over time. */
export interface ActivityQuery {
  /** Default: the first version. */
  startMicros?: number;
  endMicros: number;
  /** Greatest number of buckets. */
  buckets: number;
}

/** How many versions were written over time; those that were compacted since are not counted. */
export interface Activity {
  /** Start of the first bucket: a multiple of bucketMicros at or before the time that was asked for. */
  startMicros: number;
  /** End of the last bucket, exclusive. */
  endMicros: number;
  bucketMicros: number;
  /** Only those with versions, in order. */
  buckets: ActivityBucket[];
}

/** The minutes of the log are counted as it is written: a count of the log itself would read all of it. */
export const minuteMicros = 60_000_000;
export const minuteOf = (timeMicros: number) => Math.floor(timeMicros / minuteMicros);

/** Counts of one minute, in the order of the columns. */
export type MinuteCounts = [minute: number, created: number, updated: number, deleted: number];
export const minuteColumns = "minute, created, updated, deleted";

/** How to answer a query. */
export interface ActivityPlan {
  /** `minutes`: from the counts of minutes; `log`: from the versions themselves. */
  from: "minutes" | "log";
  startMicros: number;
  endMicros: number;
  bucketMicros: number;
}

/** What is known before the plan. */
export interface ActivityExtent {
  /** Absent if the log is empty. */
  firstMinute?: number | undefined;
  /** Versions in the range of the query, whole minutes. */
  versions: number;
}

const second = 1_000_000;
const hour = 60 * minuteMicros;
const day = 24 * hour;
/** Widths that a scale of time can show. */
const widths = [
  ...[1_000, 10_000, 100_000],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * second),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * minuteMicros),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
  ...[1, 2, 7, 14, 28, 91, 364].map((count) => count * day),
];

/** Chooses the width of the buckets, and what they are counted from. */
export function planActivity(query: ActivityQuery, extent: ActivityExtent): ActivityPlan {
  const start =
    query.startMicros ?? (extent.firstMinute ?? minuteOf(query.endMicros)) * minuteMicros;
  const aligned = (width: number) => ({
    startMicros: Math.floor(start / width) * width,
    endMicros: Math.ceil(Math.max(query.endMicros, start + 1) / width) * width,
    bucketMicros: width,
  });
  const fits = (width: number) => {
    const { startMicros, endMicros } = aligned(width);
    return (endMicros - startMicros) / width <= query.buckets;
  };
  // Versions are only counted one by one where they are few.
  const least = extent.versions > limits.activityVersions ? minuteMicros : 0;
  const found = widths.find((width) => width >= least && fits(width));
  const width = found ?? Math.ceil((query.endMicros - start) / query.buckets / day + 1) * day;
  return { ...aligned(width), from: width % minuteMicros === 0 ? "minutes" : "log" };
}

/** Counts versions by minute. */
export class MinuteCounter {
  private counts = new Map<number, MinuteCounts>();

  /** Counts a version; or with -1, one that is removed. */
  note(timeMicros: number, action: string, change: 1 | -1 = 1): void {
    const minute = minuteOf(timeMicros);
    let found = this.counts.get(minute);
    if (!found) this.counts.set(minute, (found = [minute, 0, 0, 0]));
    found[action === "POST" ? 1 : action === "DELETE" ? 3 : 2] += change;
  }

  /** Returns the changes noted since the last call. */
  take(): MinuteCounts[] {
    if (this.counts.size === 0) return [];
    const taken = [...this.counts.values()];
    this.counts = new Map();
    return taken;
  }
}

/** SQL that counts the versions of a log, as columns after a grouping one. */
export const countedActions = `CAST(sum(CASE WHEN action = 'POST' THEN 1 ELSE 0 END) AS bigint),
  CAST(sum(CASE WHEN action IN ('POST', 'DELETE') THEN 0 ELSE 1 END) AS bigint),
  CAST(sum(CASE WHEN action = 'DELETE' THEN 1 ELSE 0 END) AS bigint)`;

/** SQL that sums the counts of minutes, as columns after a grouping one. */
export const summedCounts =
  "CAST(sum(created) AS bigint), CAST(sum(updated) AS bigint), CAST(sum(deleted) AS bigint)";

/** Makes the answer from rows of a bucket's number, counted from 1970, and its counts. */
export function toActivity(
  { startMicros, endMicros, bucketMicros }: ActivityPlan,
  rows: readonly MinuteCounts[],
): Activity {
  return {
    startMicros,
    endMicros,
    bucketMicros,
    buckets: rows
      .map(([number, created, updated, deleted]) => ({
        startMicros: number * bucketMicros,
        created,
        updated,
        deleted,
      }))
      // Their versions were compacted.
      .filter(({ created, updated, deleted }) => created + updated + deleted > 0),
  };
}
