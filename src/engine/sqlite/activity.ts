import type Database from "better-sqlite3";
import { limits } from "../../limits.js";
import {
  countedActions,
  minuteColumns,
  minuteMicros,
  minuteOf,
  planActivity,
  summedCounts,
  toActivity,
  type Activity,
  type ActivityExtent,
  type ActivityQuery,
  type MinuteCounts,
} from "../activity.js";

const adding = `ON CONFLICT (minute) DO UPDATE SET
  created = created + excluded.created, updated = updated + excluded.updated, deleted = deleted + excluded.deleted`;

/** Creates the table that counts the versions of each minute. */
export function createActivityTable(db: Database.Database): void {
  db.exec(
    "CREATE TABLE IF NOT EXISTS activity (minute INTEGER PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER NOT NULL) STRICT",
  );
}

/** Returns a function that adds counts to the table, in the transaction of the caller. */
export function addsActivity(db: Database.Database): (counts: readonly MinuteCounts[]) => void {
  const statement = db.prepare(
    `INSERT INTO activity (${minuteColumns}) VALUES (?, ?, ?, ?) ${adding}`,
  );
  return (counts) => {
    for (const one of counts) statement.run(one);
  };
}

/** Counts the whole log, in statements of limits.activityRows versions. */
export function countActivity(db: Database.Database): void {
  db.exec("DELETE FROM activity");
  const end = db
    .prepare<[number, number], number | null>(
      "SELECT max(time) FROM (SELECT time FROM log WHERE time > ? ORDER BY time LIMIT ?)",
    )
    .pluck();
  const count = db.prepare(
    `INSERT INTO activity (${minuteColumns}) SELECT time / ${minuteMicros}, ${countedActions} FROM log WHERE time > ? AND time <= ? GROUP BY 1 ${adding}`,
  );
  for (let after = 0; ;) {
    const upTo = end.get(after, limits.activityRows);
    if (upTo === undefined || upTo === null) return;
    count.run(after, upTo);
    after = upTo;
  }
}

/** Creates and counts the table in an index of an earlier release, or that one has written since. */
export function requireActivity(db: Database.Database, versions: number): void {
  createActivityTable(db);
  const counted = db
    .prepare<[], number>("SELECT coalesce(sum(created + updated + deleted), 0) FROM activity")
    .pluck()
    .get();
  if (counted !== versions) db.transaction(() => countActivity(db)).immediate();
}

/** Implements Engine.activity. */
export function readActivity(db: Database.Database, query: ActivityQuery): Activity {
  const read = db.transaction(() => {
    const extent = db
      .prepare<[number, number], ActivityExtent>(
        `SELECT (SELECT min(minute) FROM activity WHERE created + updated + deleted > 0) AS firstMinute, coalesce(sum(created + updated + deleted), 0) AS versions
         FROM activity WHERE minute >= ? AND minute <= ?`,
      )
      .get(minuteOf(query.startMicros ?? 0), minuteOf(query.endMicros));
    const plan = planActivity(query, {
      firstMinute: extent?.firstMinute ?? undefined,
      versions: extent?.versions ?? 0,
    });
    const { startMicros, endMicros, bucketMicros } = plan;
    const rows =
      plan.from === "log"
        ? db
            .prepare(
              `SELECT time / ${bucketMicros}, ${countedActions} FROM log WHERE time >= ? AND time < ? GROUP BY 1 ORDER BY 1`,
            )
            .raw()
            .all(startMicros, endMicros)
        : db
            .prepare(
              `SELECT minute / ${bucketMicros / minuteMicros}, ${summedCounts} FROM activity WHERE minute >= ? AND minute < ? GROUP BY 1 ORDER BY 1`,
            )
            .raw()
            .all(startMicros / minuteMicros, endMicros / minuteMicros);
    return toActivity(plan, rows as MinuteCounts[]);
  });
  return read();
}
