import type Database from "better-sqlite3";
import { limits } from "../../limits.js";
import type { MinuteCounter } from "../activity.js";
import type { SweepResult } from "../engine.js";
import {
  checkedColumns,
  logChecksum,
  pruneChecksum,
  type CheckedRow,
  type LogRow,
} from "../../segment/row.js";

/** What a sweep may remove. */
export interface SweepOptions {
  /** False while a snapshot is pinned, whose rows must stay. */
  mayCompact: boolean;
  retainedVersions: number;
  historyMicros: number;
}

/** Deletes expired documents and compacts histories, inside the writer's transaction and in bounded steps. */
export interface Sweeper {
  noteWrite(row: LogRow): void;
  hasWork(nowMicros: number, options: SweepOptions): boolean;
  run(nowMicros: number, options: SweepOptions, nextTime: () => number): SweepResult;
  /** Drops what it remembers of a transaction that did not commit. */
  reset(): void;
}

/** Position of the walk through expiry times; rows at or before it are done. */
interface ExpiryCursor {
  expires: number;
  time: number;
}
const expiryStart: ExpiryCursor = { expires: 0, time: 0 };

export function createSweeper(db: Database.Database, minutes: MinuteCounter): Sweeper {
  let cursor = expiryStart;
  /** Links with more versions than are retained: found by one scan, then kept current by the writes. */
  let overfull: Set<string> | undefined;
  let retained = limits.retainedVersions as number;

  const beyondCursor =
    "expires > 0 AND expires >= :expires AND (expires > :expires OR time > :time)";
  const nextExpiry = db
    .prepare<[ExpiryCursor], number>(
      `SELECT expires FROM log WHERE ${beyondCursor} ORDER BY expires, time LIMIT 1`,
    )
    .pluck();
  const expiring = db
    .prepare<[ExpiryCursor & { now: number; rows: number }]>(
      `SELECT ${checkedColumns} FROM log WHERE ${beyondCursor} AND expires <= :now ORDER BY expires, time LIMIT :rows`,
    )
    .raw();
  const latest = db
    .prepare<[string], number>("SELECT max(version) FROM log WHERE link = ?")
    .pluck();
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const overfullLinks = db
    .prepare<[number], string>(
      "SELECT DISTINCT link FROM log INDEXED BY log_version WHERE version >= ?",
    )
    .pluck();
  const compactable = db
    .prepare<[string, number, number, number]>(
      "SELECT time, version, action FROM log WHERE link = ? AND version <= ? AND time < ? ORDER BY version LIMIT ?",
    )
    .raw();
  const survivor = db
    .prepare<[string, number], number>(
      "SELECT time FROM log WHERE link = ? AND version > ? ORDER BY version LIMIT 1",
    )
    .pluck();
  const remove = db.prepare("DELETE FROM log WHERE link = ? AND version <= ?");
  const pruned = db.prepare<[string], { since: number }>("SELECT since FROM prune WHERE link = ?");
  const record = db.prepare(
    "INSERT OR REPLACE INTO prune (link, time, version, since, until, crc) VALUES (?, ?, ?, ?, ?, ?)",
  );

  function expire(
    nowMicros: number,
    nextTime: () => number,
  ): Pick<SweepResult, "expired" | "damaged"> {
    const rows = expiring.all({
      ...cursor,
      now: nowMicros,
      rows: limits.compactionRows,
    }) as CheckedRow[];
    let count = 0;
    const damaged: string[] = [];
    for (const [time, link, version, action, kind, owner, expires, body, crc] of rows) {
      if (action === "DELETE" || latest.get(link) !== version) continue;
      // The deletion copies the body: a flipped bit would get a valid checksum.
      if (logChecksum([time, link, version, action, kind, owner, expires, body]) !== crc) {
        damaged.push(link);
        continue;
      }
      const row: LogRow = [nextTime(), link, version + 1, "DELETE", kind, owner, 0, body];
      insert.run(...row, logChecksum(row));
      minutes.note(row[0], "DELETE");
      count += 1;
    }
    const final = rows.at(-1);
    if (final) cursor = { expires: final[6], time: final[0] };
    return { expired: count, damaged };
  }

  function compactLink(
    link: string,
    cutoff: number,
    budget: number,
    nextTime: () => number,
  ): { removed: number; more: boolean } {
    const highest = (latest.get(link) ?? 0) - retained;
    const rows = compactable.all(link, highest, cutoff, budget) as [number, number, string][];
    const first = rows[0];
    const final = rows.at(-1);
    if (!first || !final) return { removed: 0, more: false };
    const until = survivor.get(link, final[1]);
    // The latest version always stays, so there is a survivor; without one nothing is removed.
    if (until === undefined) return { removed: 0, more: false };
    remove.run(link, final[1]);
    for (const [written, , action] of rows) minutes.note(written, action, -1);
    const time = nextTime();
    const since = pruned.get(link)?.since ?? first[0];
    record.run(
      link,
      time,
      final[1],
      since,
      until,
      pruneChecksum(link, time, final[1], since, until),
    );
    return { removed: rows.length, more: rows.length === budget };
  }

  /** Compacts the links in `overfull` whose surplus versions are old enough; the others stay in it. */
  function compactAll(cutoff: number, nextTime: () => number): number {
    let total = 0;
    for (const link of overfull ?? []) {
      if (total >= limits.compactionRows) break;
      const { removed } = compactLink(link, cutoff, limits.compactionRows - total, nextTime);
      total += removed;
    }
    return total;
  }

  function hasCompactable(cutoff: number): boolean {
    for (const link of overfull ?? []) {
      if (compactable.get(link, (latest.get(link) ?? 0) - retained, cutoff, 1) !== undefined)
        return true;
    }
    return false;
  }

  return {
    noteWrite(row) {
      if (row[6] > 0 && row[6] <= cursor.expires) cursor = { expires: row[6] - 1, time: 0 };
      if (row[2] >= retained) overfull?.add(row[1]);
    },
    hasWork(nowMicros, options) {
      retained = options.retainedVersions;
      overfull ??= new Set(overfullLinks.all(retained));
      const next = nextExpiry.get(cursor);
      if (next !== undefined && next <= nowMicros) return true;
      return options.mayCompact && hasCompactable(nowMicros - options.historyMicros);
    },
    run(nowMicros, options, nextTime) {
      const expired = expire(nowMicros, nextTime);
      const compacted = options.mayCompact
        ? compactAll(nowMicros - options.historyMicros, nextTime)
        : 0;
      return { ...expired, compacted };
    },
    reset() {
      cursor = expiryStart;
      overfull = undefined;
    },
  };
}
