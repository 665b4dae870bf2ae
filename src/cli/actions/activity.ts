import {
  ActivitySchema,
  type Activity,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { formatNumber } from "../output/format.js";
import { table } from "../output/table.js";
import { nowMicros, parseTime } from "../time.js";

const defaultRows = 30;
const barWidth = 30;

/** Flags of holdfast activity. */
export interface ActivityFlags extends HostFlags {
  from?: string;
  to?: string;
  rows?: string;
  index?: string;
}

/** Implements holdfast activity. */
export async function activity(context: CommandContext, flags: ActivityFlags): Promise<void> {
  const now = nowMicros();
  const time = (given: string | undefined) => (given === undefined ? 0n : parseTime(given, now));
  const request = {
    indexLink: flags.index ?? "",
    startTimeMicros: time(flags.from),
    endTimeMicros: time(flags.to),
    buckets: rowsOf(flags.rows),
  };
  await withHost(context, flags, async ({ management }) => {
    const found = await management.getActivity(request, { signal: context.abort.signal });
    await context.printResult(ActivitySchema, found, () => activityText(found, context.formatTime));
  });
}

function rowsOf(given: string | undefined): number {
  if (given === undefined) return defaultRows;
  const rows = Number(given);
  if (/^\d+$/.test(given) && rows >= 1 && rows <= limits.activityBuckets) return rows;
  throw new HostError(
    "REQUEST_INVALID",
    `Invalid --rows ${JSON.stringify(given)}: must be a number from 1 to ${limits.activityBuckets}.`,
  );
}

function activityText(
  { buckets, bucketMicros }: Activity,
  time: CommandContext["formatTime"],
): string {
  if (buckets.length === 0) return "No versions were written in this time.";
  const total = (bucket: Activity["buckets"][number]) =>
    Number(bucket.created + bucket.updated + bucket.deleted);
  const most = Math.max(...buckets.map(total));
  return table(
    [
      { head: "FROM" },
      { head: "CREATED", right: true },
      { head: "UPDATED", right: true },
      { head: "DELETED", right: true },
      { head: `PER ${spanText(bucketMicros)}` },
    ],
    buckets.map((bucket) => [
      time(bucket.startTimeMicros),
      formatNumber(bucket.created),
      formatNumber(bucket.updated),
      formatNumber(bucket.deleted),
      // By the square root, so that a burst does not hide the rest. The deletions are at the end.
      bar(Math.sqrt(total(bucket) / most), Number(bucket.deleted) / total(bucket)),
    ]),
  );
}

function bar(length: number, deleted: number): string {
  const cells = Math.max(1, Math.round(length * barWidth));
  const ofDeletions = deleted > 0 ? Math.max(1, Math.round(deleted * cells)) : 0;
  return "#".repeat(cells - ofDeletions) + "-".repeat(ofDeletions);
}

const units: [micros: bigint, name: string][] = [
  [86_400_000_000n, "DAY"],
  [3_600_000_000n, "HOUR"],
  [60_000_000n, "MINUTE"],
  [1_000_000n, "SECOND"],
  [1_000n, "MILLISECOND"],
];

/** A duration as a number of its greatest whole unit. */
function spanText(micros: bigint): string {
  const [size, name] = units.find(([unit]) => micros % unit === 0n) ?? [1n, "MICROSECOND"];
  const count = micros / size;
  return count === 1n ? name : `${count} ${name}S`;
}
