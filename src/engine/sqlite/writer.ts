import type Database from "better-sqlite3";
import type { DocumentWrite } from "../../document/document.js";
import { applyMerge } from "../../document/merge.js";
import { HostError, type HostErrorRecord, type Reason } from "../../errors.js";
import { limits } from "../../limits.js";
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
import { createSweeper, type SweepOptions } from "./sweep.js";

/** The row of a write; or nothing, if a DELETE found the document deleted; or why the write was refused. */
export type WriteOutcome = { row: LogRow } | { nothing: true } | { error: HostErrorRecord };

/** What a writer is opened with. */
export interface WriterOptions {
  path: string;
  durable: boolean;
  minTimeMicros: number;
}

/** The only writer of an index, used by one thread. */
export interface Writer {
  /** Commits the writes as one transaction, durable when it returns. A refused write does not affect the others; a failed commit fails all. */
  commit(nowMicros: number, writes: DocumentWrite[]): WriteOutcome[];
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
  const sweeper = createSweeper(db);

  /** Runs the work as one transaction, and reverts its changes in memory if it does not commit. */
  function transaction<T>(work: () => T): T {
    if (broken) throw broken;
    const before = { counts, last };
    try {
      begin.run();
      const result = work();
      if (counts !== before.counts) saveCounts.run(countsText(counts));
      commit.run();
      return result;
    } catch (thrown) {
      ({ counts, last } = before);
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

  function append(
    nowMicros: number,
    row: Omit<DocumentWrite, "mergeRule"> & { version: number; expires: number },
  ): LogRow {
    last = nextTime(nowMicros, last);
    const written: LogRow = [
      last,
      row.link,
      row.version,
      row.action,
      row.kind,
      row.owner,
      row.expires,
      row.body,
    ];
    insert.run(...written, logChecksum(written));
    return written;
  }

  function apply(nowMicros: number, write: DocumentWrite): WriteOutcome {
    const current = head.get(write.link);
    if (write.action === "DELETE" && current?.action === "DELETE") return { nothing: true };
    const refused = refusal(write, current);
    if (refused) return { error: refused.toRecord() };
    const deleting = write.action === "DELETE";
    const keeps = current && (deleting || write.action === "PATCH");
    let body = write.body;
    // The new version is made of the current one: a flipped bit would get a valid checksum.
    if (keeps)
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
      );
    if (keeps)
      body = deleting ? current.body : applyMerge(write.mergeRule, current.body, write.body);
    if (body.length > limits.documentBytes / 3 && Buffer.byteLength(body) > limits.documentBytes) {
      throw new HostError(
        "BODY_TOO_LARGE",
        `${write.link} would grow beyond ${limits.documentBytes} bytes. Nothing was changed.`,
      );
    }
    const row = append(nowMicros, {
      ...write,
      version: current ? current.version + 1 : 0,
      kind: keeps ? current.kind : write.kind,
      expires: deleting ? 0 : (write.expirationTimeMicros ?? (keeps ? current.expires : 0)),
      body,
    });
    const live = (!current || current.action === "DELETE" ? 1 : 0) - (deleting ? 1 : 0);
    counts = { documents: counts.documents + live, versions: counts.versions + 1 };
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
function nextTime(nowMicros: number, last: number): number {
  const time = Math.max(nowMicros, last + 1);
  if (time <= limits.maxTimeMicros) return time;
  throw new HostError(
    "INDEX_READ_ONLY",
    `The next update time, ${time}, is greater than ${limits.maxTimeMicros} (in the year 2112), the last one that an index supports. Check the clock of the machine. If the log itself is that far ahead, restore an older backup.`,
  );
}

/** Returns why a write may not be applied to the current state; undefined if it may. */
function refusal(write: DocumentWrite, current: Head | undefined): HostError | undefined {
  const deleted = current?.action === "DELETE";
  if (
    write.expectedVersion !== undefined &&
    current &&
    !deleted &&
    current.version !== write.expectedVersion
  ) {
    return new HostError(
      "VERSION_MISMATCH",
      `${write.link} is at version ${current.version}, not at the expected version ${write.expectedVersion}. Read it again.`,
      { metadata: { link: write.link, version: String(current.version) } },
    );
  }
  const details = { metadata: { link: write.link } };
  const document = `Document ${write.link}`;
  if (write.action === "POST") {
    if (current && !deleted)
      return new HostError("DOCUMENT_EXISTS", `${document} already exists`, details);
    if (deleted && !write.revive)
      return new HostError("DOCUMENT_MARKED_DELETED", `${document} is marked deleted`, details);
    return undefined;
  }
  if (!current) return new HostError("DOCUMENT_NOT_FOUND", `${document} not found`, details);
  if (deleted) return new HostError("DOCUMENT_DELETED", `${document} not found: deleted`, details);
  return undefined;
}
