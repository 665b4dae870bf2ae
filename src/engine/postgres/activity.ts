import {
  countedActions,
  minuteMicros,
  minuteOf,
  planActivity,
  summedCounts,
  toActivity,
  type Activity,
  type ActivityQuery,
  type MinuteCounts,
} from "../activity.js";
import type { LiveIndex } from "./live-index.js";
import { guarded } from "./reads.js";

/** Implements Engine.activity. */
export async function readActivity(index: LiveIndex, query: ActivityQuery): Promise<Activity> {
  const { tables } = index;
  const read = (text: (generation: number) => string, values: readonly number[]) =>
    index.read(
      { text: (generation) => guarded(tables.idx, text(generation)) },
      values,
      `Reading ${index.name}`,
      "scanner",
    );
  const [[firstMinute, versions] = [-1, 0]] = (await read(
    (generation) => {
      const counts = tables.activity(generation);
      return `SELECT coalesce((SELECT min(minute) FROM ${counts} WHERE created + updated + deleted > 0), -1),
        (SELECT CAST(coalesce(sum(created + updated + deleted), 0) AS bigint) FROM ${counts} WHERE minute >= $3 AND minute <= $4)`;
    },
    [minuteOf(query.startMicros ?? 0), minuteOf(query.endMicros)],
  )) as [number, number][];
  const plan = planActivity(query, {
    firstMinute: firstMinute < 0 ? undefined : firstMinute,
    versions,
  });
  const { startMicros, endMicros, bucketMicros } = plan;
  const rows =
    plan.from === "log"
      ? await read(
          (generation) =>
            `SELECT time / ${bucketMicros}, ${countedActions} FROM ${tables.log(generation)} WHERE time >= $3 AND time < $4 GROUP BY 1 ORDER BY 1`,
          [startMicros, endMicros],
        )
      : await read(
          (generation) =>
            `SELECT minute / ${bucketMicros / minuteMicros}, ${summedCounts} FROM ${tables.activity(generation)} WHERE minute >= $3 AND minute < $4 GROUP BY 1 ORDER BY 1`,
          [startMicros / minuteMicros, endMicros / minuteMicros],
        );
  return toActivity(plan, rows as MinuteCounts[]);
}
