import type Database from "better-sqlite3";
import type { DocumentWrite } from "../../document/document.js";
import { applyWrite } from "../../document/apply-write.js";
import { HostError, type Reason } from "../../errors.js";
import type { SweepResult } from "../engine.js";
import { checkedVersion, logChecksum, type LogRow } from "../../segment/row.js";
import {
  countLog,
  countsText,
  openIndex,
  readMeta,
  readPosition,
  writeCounts,
  type Counts,
} from "./schema.js";
import { fromSqlite, isUncertain } from "../../segment/sqlite-error.js";
import { checkedTime } from "../engine-errors.js";
import type { WriteOutcome } from "../write-queue.js";
import { MinuteCounter } from "../activity.js";
import { addsActivity, requireActivity } from "./activity.js";
import { createSweeper, type SweepOptions } from "./sweep.js";

/** What a writer is opened with. */
export interface WriterOptions {
  path: string;
  durable: boolean;
  minTimeMicros: number;
}

/** The only writer of an index, used by one thread. */
export interface Writer {
  /** Commits the writes as one transaction, durable when it returns. A refused write does not affect the others; a failed commit fails all. */
  commit(nowMicros: number, writes: DocumentWrite[]): WriteOutcome<LogRow>[];
  /** Returns the end of a snapshot's window: later writes get later times, even if the clock goes back. The wall time, if it can be recorded. */
  pin(nowMicros: number): { wallTimeMicros: number };
  sweep(nowMicros: number, options: SweepOptions): SweepResult;
  close(): void;
}

/** Failures to record the time of a snapshot, which does not depend on it. */
const tolerated: readonly Reason[] = [
  "STORAGE_FULL",
  "STORAGE_FAILED",
  "INDEX_READ_ONLY",
  "OUTCOME_UNKNOWN",
];

interface Head {
  version: number;
  time: number;
  action: string;
  kind: string;
  owner: string;
  expires: number;
  crc: number;
  body: string;
}

export function openWriter(options: WriterOptions): Writer {
  const db = openIndex(options.path, "write", options.durable, 16 * 1024);
  const meta = readMeta(db);
  let counts = meta.counts ?? recount(db);
  requireActivity(db, counts.versions);
  let last = Math.max(readPosition(db), meta.minTimeMicros, options.minTimeMicros);
  /** Greatest time that later writes exceed, also after a restart with a clock that went back. */
  let durableMinTime = Math.max(meta.minTimeMicros, options.minTimeMicros);
  let broken: HostError | undefined;

  const head = db.prepare<[string], Head>(
    "SELECT version, time, action, kind, owner, expires, crc, body FROM log WHERE link = ? ORDER BY version DESC LIMIT 1",
  );
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const saveCounts = db.prepare("UPDATE meta SET value = ? WHERE key = 'counts'");
  const saveMinTime = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('floor', ?)");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const minutes = new MinuteCounter();
  const addActivity = addsActivity(db);
  const sweeper = createSweeper(db, minutes);

  /** Runs the work as one transaction, and reverts its changes in memory if it does not commit. */
  function transaction<T>(work: () => T): T {
    if (broken) throw broken;
    const before = { counts, last };
    try {
      begin.run();
      const result = work();
      if (counts !== before.counts) saveCounts.run(countsText(counts));
      addActivity(minutes.take());
      commit.run();
      return result;
    } catch (thrown) {
      ({ counts, last } = before);
      minutes.take();
      sweeper.reset();
      if (db.inTransaction) db.exec("ROLLBACK");
      if (isUncertain(thrown)) {
        broken = new HostError(
          "INDEX_READ_ONLY",
          `The index ${options.path} is read only because its disk failed. Restart the host to write again.`,
        );
        throw new HostError(
          "OUTCOME_UNKNOWN",
          "The disk failed during the commit: the write may or may not be stored. Restart the host and read the document.",
          {
            cause: thrown,
          },
        );
      }
      throw fromSqlite(thrown, `Writing to ${options.path}`);
    }
  }

  function apply(nowMicros: number, write: DocumentWrite): WriteOutcome<LogRow> {
    const next = applyWrite(write, head.get(write.link), (current) =>
      checkedVersion(
        [
          current.time,
          write.link,
          current.version,
          current.action,
          current.kind,
          current.owner,
          current.expires,
          current.body,
        ],
        current.crc,
      ),
    );
    if (!next) return { nothing: true };
    const { link, version, action, kind, owner, expires, body } = next;
    last = nextTime(nowMicros, last);
    const row: LogRow = [last, link, version, action, kind, owner, expires, body];
    insert.run(...row, logChecksum(row));
    counts = { documents: counts.documents + next.documents, versions: counts.versions + 1 };
    minutes.note(last, action);
    sweeper.noteWrite(row);
    return { row };
  }

  return {
    commit(nowMicros, writes) {
      return transaction(() =>
        writes.map((write) => {
          try {
            return apply(nowMicros, write);
          } catch (thrown) {
            if (thrown instanceof HostError) return { error: thrown.toRecord() };
            throw thrown;
          }
        }),
      );
    },
    pin(nowMicros) {
      try {
        const wallTimeMicros = transaction(() => {
          last = Math.max(nowMicros, last);
          saveMinTime.run(String(last));
          return last;
        });
        durableMinTime = wallTimeMicros;
        return { wallTimeMicros };
      } catch (thrown) {
        // A backup matters most when the disk is full or failing: its window ends at the position of the log.
        if (!(thrown instanceof HostError) || !tolerated.includes(thrown.reason)) throw thrown;
        return { wallTimeMicros: Math.max(readPosition(db), durableMinTime) };
      }
    },
    sweep(nowMicros, sweepOptions) {
      if (broken || !sweeper.hasWork(nowMicros, sweepOptions))
        return { expired: 0, compacted: 0, damaged: [] };
      return transaction(() => {
        const done = sweeper.run(nowMicros, sweepOptions, () => (last = nextTime(nowMicros, last)));
        counts = {
          documents: counts.documents - done.expired,
          versions: counts.versions + done.expired - done.compacted,
        };
        return done;
      });
    },
    close() {
      db.close();
    },
  };
}

/** Counts the log of an index whose recorded counts are damaged or have no checksum yet. */
function recount(db: Database.Database): Counts {
  const counts = countLog(db);
  writeCounts(db, counts);
  return counts;
}

/** Returns the next update time. INDEX_READ_ONLY beyond the last time that a backup can contain. */
const nextTime = (nowMicros: number, last: number) => checkedTime(Math.max(nowMicros, last + 1));
