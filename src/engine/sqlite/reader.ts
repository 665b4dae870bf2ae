import type { DocumentVersion } from "../../document/document.js";
import type { IndexState, RestorableWindow } from "../engine.js";
import { limits } from "../../limits.js";
import { logRowColumns, toVersion, type LogRow } from "./row.js";
import { openIndex, readMeta, readPosition } from "./schema.js";
import { createScanner, type CountCall, type PageCall, type PartialCount, type PartialPage } from "./scan.js";
import { statSync } from "node:fs";

export type ReaderCall =
  | { kind: "read"; link: string; version?: number; atMicros?: number }
  | { kind: "versions"; link: string; limit: number; beforeVersion?: number }
  | { kind: "state"; nowMicros: number }
  | { kind: "page"; call: PageCall }
  | { kind: "count"; call: CountCall };
export type ReaderAnswer = DocumentVersion | DocumentVersion[] | IndexState | PartialPage | PartialCount | undefined;

export interface Reader {
  handle(call: ReaderCall): ReaderAnswer;
  close(): void;
}

/** A read-only connection to an index; used by one thread. */
export function openReader(path: string): Reader {
  const db = openIndex(path, "read", true, 4 * 1024);
  readMeta(db);
  const latest = db.prepare(`SELECT ${logRowColumns} FROM log WHERE link = ? ORDER BY version DESC LIMIT 1`).raw();
  const exact = db.prepare(`SELECT ${logRowColumns} FROM log WHERE link = ? AND version = ?`).raw();
  const asOf = db.prepare(`SELECT ${logRowColumns} FROM log WHERE link = ? AND time <= ? ORDER BY version DESC LIMIT 1`).raw();
  const below = db.prepare(`SELECT ${logRowColumns} FROM log WHERE link = ? AND version < ? ORDER BY version DESC LIMIT ?`).raw();
  const firstTime = db.prepare<[], number | null>("SELECT min(time) FROM log").pluck();
  const bound = db.prepare<[], { link: string; until: number }>("SELECT link, until FROM prune ORDER BY until DESC LIMIT 1");
  const since = db.prepare<[], number | null>("SELECT min(since) FROM prune").pluck();
  const scanner = createScanner(db);

  function read(link: string, version?: number, atMicros?: number): DocumentVersion | undefined {
    const row =
      version !== undefined ? exact.get(link, version) : atMicros !== undefined ? asOf.get(link, atMicros) : latest.get(link);
    return row === undefined ? undefined : toVersion(row as LogRow);
  }

  /** Ends early at limits.pageBytes, so that the versions of a large document are not all held at once. */
  function versionsBelow(link: string, version: number, limit: number): DocumentVersion[] {
    const versions: DocumentVersion[] = [];
    let bytes = 0;
    for (const row of below.iterate(link, version, limit) as IterableIterator<LogRow>) {
      versions.push(toVersion(row));
      bytes += row[7].length;
      if (bytes >= limits.pageBytes) break;
    }
    return versions;
  }

  function window(position: number, nowMicros: number): RestorableWindow {
    const first = firstTime.get() ?? 0;
    const latestMicros = Math.max(position, nowMicros);
    const pruned = bound.get();
    const earliestMicros = Math.max(first === 0 ? latestMicros : first, pruned?.until ?? 0);
    const begin = since.get() ?? first;
    const historyStartMicros = begin === 0 ? 0 : Math.min(begin, first);
    const bounds = pruned !== undefined && pruned.until === earliestMicros;
    return { earliestMicros, latestMicros, historyStartMicros, ...(bounds && { boundingLink: pruned.link }) };
  }

  const state = db.transaction((nowMicros: number): IndexState => {
    const { indexId, lineage, parents, formatVersion, counts } = readMeta(db);
    const positionMicros = readPosition(db);
    return {
      indexId,
      lineage,
      parents,
      formatVersion,
      positionMicros,
      documents: counts.documents,
      versions: counts.versions,
      sizeBytes: statSync(path).size,
      window: window(positionMicros, nowMicros),
    };
  });

  return {
    handle(call) {
      switch (call.kind) {
        case "read":
          return read(call.link, call.version, call.atMicros);
        case "versions":
          return versionsBelow(call.link, call.beforeVersion ?? Number.MAX_SAFE_INTEGER, call.limit);
        case "state":
          return state(call.nowMicros);
        case "page":
          return scanner.page(call.call);
        case "count":
          return scanner.count(call.call);
      }
    },
    close: () => db.close(),
  };
}
