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

/** A row that was written; nothing where a DELETE found the document deleted; or why it was refused. */
export type WriteOutcome = { row: LogRow } | { nothing: true } | { error: HostErrorRecord };

export interface WriterOptions {
  path: string;
  durable: boolean;
  minTimeMicros: number;
}

/** The one writer of an index; used by one thread. */
export interface Writer {
  /** One transaction: durable when it returns. A refused write leaves the others standing; a failed commit fails all. */
  commit(nowMicros: number, writes: DocumentWrite[]): WriteOutcome[];
  /** The end of a snapshot's window: later writes get later times, even if the clock goes back. The wall time, where it can be written down. */
  pin(nowMicros: number): { wallTimeMicros: number };
  sweep(nowMicros: number, options: SweepOptions): SweepResult;
  close(): void;
}

/** Why the time of a snapshot may not get written down: the snapshot itself needs nothing written. */
const withoutWriting: readonly Reason[] = [
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
  /** The greatest time that later writes are above, also after a restart with a clock that went back. */
  let durableFloor = Math.max(meta.minTimeMicros, options.minTimeMicros);
  let broken: HostError | undefined;

  const head = db.prepare<[string], Head>(
    "SELECT version, time, action, kind, owner, expires, crc, body FROM log WHERE link = ? ORDER BY version DESC LIMIT 1",
  );
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const saveCounts = db.prepare("UPDATE meta SET value = ? WHERE key = 'counts'");
  const saveFloor = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('floor', ?)");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const sweeper = createSweeper(db);

  /** Runs the work as one transaction; what it changed in memory is undone when it does not commit. */
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
          `The index ${options.path} takes no writes since the disk failed under it; restart the host to go on.`,
        );
        throw new HostError(
          "OUTCOME_UNKNOWN",
          "The disk failed while the write was made durable; it may or may not be there after a restart.",
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
    // What goes on into a new version must be what was written: a changed bit would get a fresh checksum.
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
        `${write.link} would grow beyond ${limits.documentBytes} bytes; nothing was changed.`,
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
          saveFloor.run(String(last));
          return last;
        });
        durableFloor = wallTimeMicros;
        return { wallTimeMicros };
      } catch (thrown) {
        // A full or failed disk is when a backup to another one is needed most: it ends where the log does.
        if (!(thrown instanceof HostError) || !withoutWriting.includes(thrown.reason)) throw thrown;
        return { wallTimeMicros: Math.max(readPosition(db), durableFloor) };
      }
    },
    sweep(nowMicros, sweepOptions) {
      if (broken || !sweeper.hasWork(nowMicros, sweepOptions))
        return { expired: 0, pruned: 0, damaged: [] };
      return transaction(() => {
        const done = sweeper.run(nowMicros, sweepOptions, () => (last = nextTime(nowMicros, last)));
        counts = {
          documents: counts.documents - done.expired,
          versions: counts.versions + done.expired - done.pruned,
        };
        return done;
      });
    },
    close() {
      db.close();
    },
  };
}

/** The counts of an index whose record of them is damaged, or has no checksum yet: the log is what counts. */
function recount(db: Database.Database): Counts {
  const counts = countLog(db);
  writeCounts(db, counts);
  return counts;
}

/** Throws where no time is left that a backup of the index could hold. */
function nextTime(nowMicros: number, last: number): number {
  const time = Math.max(nowMicros, last + 1);
  if (time <= limits.maxTimeMicros) return time;
  throw new HostError(
    "INDEX_READ_ONLY",
    `The next update time, ${time}, is beyond ${limits.maxTimeMicros} (the year 2112), the last one that the index takes. Check the clock of the machine; where the log itself is that far ahead, restore a backup from before.`,
  );
}

/** Why a write may not be applied to the current state, with Xenon's words where it has some. */
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
      `${write.link} is at version ${current.version}, not at version ${write.expectedVersion} as expected; read it again.`,
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
