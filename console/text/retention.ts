import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { count } from "./format.js";
import { durationWords } from "./schedule.js";

const periods = [
  ["keepHourly", "hour"],
  ["keepDaily", "day"],
  ["keepWeekly", "week"],
  ["keepMonthly", "month"],
  ["keepYearly", "year"],
] as const;

/** What retention keeps, one rule each; empty if it keeps everything. */
export function retentionWords({ retention = {}, window }: BackupPolicyJson): string[] {
  const last = retention.keepLast ?? 0;
  return [
    ...(last > 0 ? [last === 1 ? "the newest backup" : `the newest ${count(last)} backups`] : []),
    ...periods.flatMap(([field, period]) => {
      const size = retention[field] ?? 0;
      if (size === 0) return [];
      const last =
        size === 1
          ? `the last ${period} that has`
          : `each of the last ${count(size)} ${period}s that have`;
      return [`the newest of ${last} one`];
    }),
    ...(retention.keepWithin
      ? [`all at most ${durationWords(retention.keepWithin)} older than the newest`]
      : []),
    ...(window ? [`what restores to any time of the last ${durationWords(window)} need`] : []),
  ];
}
