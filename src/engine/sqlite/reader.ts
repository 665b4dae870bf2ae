import type Database from "better-sqlite3";
import type { DocumentVersion } from "../../document/document.js";
import type { IndexState, RowId, LogAround, RestorableWindow } from "../engine.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { restorableWindow } from "../restorable-window.js";
import type { Activity, ActivityQuery } from "../activity.js";
import { readActivity } from "./activity.js";
import { createLostTimes } from "./lost-times.js";
import { logAround } from "../../segment/around.js";
import { checkedColumns, checkedRow, type CheckedRow } from "../../segment/row.js";
import { openIndex, readMeta, readPosition } from "./schema.js";
import {
  createScanner,
  type CountCall,
  type PageCall,
  type PartialCount,
  type PartialPage,
} from "./scan.js";
import { statSync } from "node:fs";

export type ReaderCall =
  | { kind: "read"; link: string; version?: number; atMicros?: number }
  | { kind: "versions"; link: string; limit: number; beforeVersion?: number }
  | { kind: "state"; nowMicros: number }
  | { kind: "contains"; row: RowId }
  | { kind: "around"; timeMicros: number; count: number }
  | { kind: "activity"; query: ActivityQuery }
  | { kind: "page"; call: PageCall }
  | { kind: "count"; call: CountCall };
export type ReaderAnswer =
  | DocumentVersion
  | DocumentVersion[]
  | IndexState
  | LogAround
  | Activity
  | PartialPage
  | PartialCount
  | boolean
  | undefined;

/** Reads an index for one thread. */
export interface Reader {
  handle(call: ReaderCall): ReaderAnswer;
  close(): void;
}

/** Opens a read-only connection to an index. */
export function openReader(path: string): Reader {
  const db = openIndex(path, "read", true, 4 * 1024);
  return createReader(db, () => statSync(path).size);
}

/** Reads an index through an open connection, and closes that connection. */
export function createReader(db: Database.Database, sizeBytes: () => number): Reader {
  readMeta(db);
  const latest = db
    .prepare(`SELECT ${checkedColumns} FROM log WHERE link = ? ORDER BY version DESC LIMIT 1`)
    .raw();
  const exact = db
    .prepare(`SELECT ${checkedColumns} FROM log WHERE link = ? AND version = ?`)
    .raw();
  const asOf = db
    .prepare(
      `SELECT ${checkedColumns} FROM log WHERE link = ? AND time <= ? ORDER BY version DESC LIMIT 1`,
    )
    .raw();
  const below = db
    .prepare(
      `SELECT ${checkedColumns} FROM log WHERE link = ? AND version < ? ORDER BY version DESC LIMIT ?`,
    )
    .raw();
  const firstTime = db.prepare<[], number | null>("SELECT min(time) FROM log").pluck();
  const bound = db.prepare<[], { link: string; until: number }>(
    "SELECT link, until FROM prune ORDER BY until DESC LIMIT 1",
  );
  const since = db.prepare<[], number | null>("SELECT min(since) FROM prune").pluck();
  const lostTimes = createLostTimes(db);
  const scanner = createScanner(db, lostTimes);
  const last = db.prepare<[], RowId>(
    "SELECT time AS timeMicros, link, version, crc FROM log ORDER BY time DESC LIMIT 1",
  );
  const sameRow = db.prepare(
    "SELECT 1 FROM log WHERE time = ? AND link = ? AND version = ? AND crc = ?",
  );
  const compactedRow = db.prepare(
    "SELECT 1 FROM prune WHERE link = ? AND version >= ? AND time > ?",
  );
  const contains = ({ timeMicros, link, version, crc }: RowId) =>
    sameRow.get(timeMicros, link, version, crc) !== undefined ||
    compactedRow.get(link, version, timeMicros) !== undefined;

  function read(link: string, version?: number, atMicros?: number): DocumentVersion | undefined {
    if (version === undefined && atMicros !== undefined) lostTimes.check(atMicros, link);
    const row =
      version !== undefined
        ? exact.get(link, version)
        : atMicros !== undefined
          ? asOf.get(link, atMicros)
          : latest.get(link);
    return row === undefined ? undefined : checkedRow(row as CheckedRow);
  }

  /** Ends early at limits.pageBytes, so that the versions of a large document do not fill the memory. */
  function versionsBelow(link: string, version: number, limit: number): DocumentVersion[] {
    const versions: DocumentVersion[] = [];
    let bytes = 0;
    for (const row of below.iterate(link, version, limit) as IterableIterator<CheckedRow>) {
      versions.push(checkedRow(row));
      bytes += row[7].length;
      if (bytes >= limits.pageBytes) break;
    }
    return versions;
  }

  function window(positionMicros: number, nowMicros: number): RestorableWindow {
    const compacted = bound.get();
    return restorableWindow({
      firstMicros: firstTime.get() ?? 0,
      positionMicros,
      nowMicros,
      ...(compacted && { bound: { link: compacted.link, untilMicros: compacted.until } }),
      compactedSinceMicros: since.get() ?? 0,
    });
  }

  const state = db.transaction((nowMicros: number): IndexState => {
    const { indexId, lineage, parents, formatVersion, counts } = readMeta(db);
    const positionMicros = readPosition(db);
    const lastRecord = last.get();
    // A writer rewrites damaged counts when it opens the index, so these were damaged later.
    if (counts === undefined)
      throw new HostError(
        "INDEX_DAMAGED",
        `The counts of the index ${db.name} fail their checksum: the disk changed them. Restart the host, which counts again.`,
      );
    return {
      indexId,
      lineage,
      parents,
      formatVersion,
      positionMicros,
      documents: counts.documents,
      versions: counts.versions,
      sizeBytes: sizeBytes(),
      window: window(positionMicros, nowMicros),
      ...(lastRecord && { lastRecord }),
    };
  });

  return {
    handle(call) {
      switch (call.kind) {
        case "read":
          return read(call.link, call.version, call.atMicros);
        case "versions":
          return versionsBelow(
            call.link,
            call.beforeVersion ?? Number.MAX_SAFE_INTEGER,
            call.limit,
          );
        case "state":
          return state(call.nowMicros);
        case "contains":
          return contains(call.row);
        case "around":
          return logAround(db, call.timeMicros, call.count);
        case "activity":
          return readActivity(db, call.query);
        case "page":
          return scanner.page(call.call);
        case "count":
          return scanner.count(call.call);
      }
    },
    close: () => db.close(),
  };
}
