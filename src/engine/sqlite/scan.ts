import type Database from "better-sqlite3";
import type { DocumentVersion } from "../../document/document.js";
import { limits } from "../../limits.js";
import { formatCursor, parseCursor, type Cursor } from "../cursor.js";
import type { PageQuery } from "../engine.js";
import { filterToSql, orderToSql } from "../filter/filter-sql.js";
import { definePatterns, isTooSlow } from "../filter/patterns.js";
import type { LostTimes } from "./lost-times.js";
import {
  checkedColumns,
  checkedRow,
  toVersion,
  type CheckedRow,
  type LogRow,
} from "../../segment/row.js";
import { readPosition } from "./schema.js";

export interface PageCall {
  query: PageQuery;
}
/** A page, or a part of one; a cursor says that more follows. */
export interface PartialPage {
  documents: DocumentVersion[];
  cursor?: string;
}
export interface CountCall {
  query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">;
  cursor?: string;
}
export interface PartialCount {
  count: number;
  cursor?: string;
}

export interface Scanner {
  page(call: PageCall): PartialPage;
  count(call: CountCall): PartialCount;
}

type Parameter = string | number | bigint | null;

/** Follows every link with the prefix in the order of bytes. */
const afterPrefix = (prefix: string) => `${prefix}\u{10FFFF}`;

/** How long one call scans before it returns a part: other reads wait for it. */
const sliceMs = 50;

/** Columns of a row without its body. */
const bareColumns = "time, link, version, action, kind, owner, expires, '' AS body";

/** A body is returned only after its checksum matched. */
const columnsOf = ({ expand }: Pick<PageQuery, "expand">) =>
  expand ? checkedColumns : bareColumns;
const versionsOf = ({ expand }: Pick<PageQuery, "expand">, rows: LogRow[]) =>
  expand ? (rows as unknown as CheckedRow[]).map(checkedRow) : rows.map(toVersion);

export function createScanner(db: Database.Database, lostTimes: LostTimes): Scanner {
  const clock = definePatterns(db);
  const position = () => readPosition(db);
  const rangeEnd = db
    .prepare<[number, number], number>(
      "SELECT time FROM log WHERE time > ? ORDER BY time LIMIT 1 OFFSET ?",
    )
    .pluck();

  function start(
    query: Pick<PageQuery, "atMicros" | "allVersions">,
    text: string | undefined,
  ): Cursor {
    const now = position();
    const cursor =
      text === undefined
        ? { at: query.atMicros === undefined ? now : Math.min(query.atMicros, now) }
        : parseCursor(text);
    // Compaction may remove versions that the listing has not reached yet.
    if (cursor.at < now && !query.allVersions) lostTimes.check(cursor.at);
    return cursor;
  }

  /** Collects rows up to the limits of the query; true if the page is full. */
  function collect(
    rows: IterableIterator<unknown>,
    into: LogRow[],
    { limit, pageBytes = limits.pageBytes }: Pick<PageQuery, "limit" | "pageBytes">,
  ): boolean {
    let bytes = into.reduce((sum, row) => sum + row[7].length, 0);
    for (const row of rows) {
      into.push(row as LogRow);
      bytes += (row as LogRow)[7].length;
      if (into.length >= limit || bytes >= pageBytes) return true;
    }
    return false;
  }

  /** Lists the latest version of each link at the position of the cursor, in the order of links. */
  function byLink(query: PageQuery, cursor: Cursor): PartialPage {
    const begun = performance.now();
    const rows: LogRow[] = [];
    // SQLite takes `time` from the row with the greatest version, and reads the index alone.
    const groups = db.prepare(
      `SELECT link, max(version) AS version, time FROM log INDEXED BY log_version
       WHERE link > ? AND link < ? AND time <= ? GROUP BY link ORDER BY link LIMIT ?`,
    );
    const marksDo = !query.expand && query.kind === undefined;
    const deleted = query.includeDeleted
      ? undefined
      : db.prepare(
          "SELECT 1 FROM log INDEXED BY log_deleted WHERE link = ? AND version = ? AND action = 'DELETE'",
        );
    const fetch = db.prepare(`SELECT ${columnsOf(query)} FROM log WHERE time = ?`).raw();
    let after = cursor.link ?? query.linkPrefix;
    for (;;) {
      const found = groups.all(
        after,
        afterPrefix(query.linkPrefix),
        cursor.at,
        limits.scanRows,
      ) as { link: string; version: number; time: number }[];
      const live = function* () {
        for (const { link, version, time } of found) {
          after = link;
          if (deleted?.get(link, version) !== undefined) continue;
          const row = marksDo
            ? ([time, link, version, "", "", "", 0, ""] satisfies LogRow)
            : (fetch.get(time) as LogRow | undefined);
          if (row && (query.kind === undefined || row[4] === query.kind)) yield row;
        }
      };
      const full = collect(live(), rows, query);
      if (!full && found.length < limits.scanRows) return { documents: versionsOf(query, rows) };
      if (full || performance.now() - begun > sliceMs)
        return {
          documents: versionsOf(query, rows),
          cursor: formatCursor({ ...cursor, link: after }),
        };
    }
  }

  /** Condition under which row `l` is the state of a selected document at a position. */
  function condition(
    query: Omit<PageQuery, "limit" | "expand">,
    at: number,
  ): { sql: string; params: Parameter[] } {
    const parts = ["l.link >= ? AND l.link < ?"];
    const params: Parameter[] = [query.linkPrefix, afterPrefix(query.linkPrefix)];
    if (query.kind !== undefined) {
      parts.push("l.kind = ?");
      params.push(query.kind);
    }
    if (!query.includeDeleted && !query.allVersions) parts.push("l.action <> 'DELETE'");
    if (query.filter) {
      const filter = filterToSql(query.filter);
      // CASE checks the clock before a large body, which takes long to parse.
      parts.push(
        `CASE WHEN octet_length(l.body) < ${limits.deadlineCheckBodyBytes} OR holdfast_tick() THEN (${filter.sql}) ELSE 0 END`,
      );
      params.push(...filter.params);
    }
    if (!query.allVersions) {
      parts.push(
        "NOT EXISTS (SELECT 1 FROM log h WHERE h.link = l.link AND h.version > l.version AND h.time <= ?)",
      );
      params.push(at);
    }
    return { sql: parts.join(" AND "), params };
  }

  /**
   * Runs a statement over ranges of rows in the order of the log, larger ones while it is fast. A slow statement is
   * aborted and repeated over fewer rows; QUERY_LIMIT if a single row takes too long.
   */
  function* overRanges<T>(
    cursor: Cursor,
    run: (after: number, upTo: number) => T,
  ): Generator<[upTo: number, outcome: T]> {
    let after = cursor.time ?? 0;
    let rows: number = limits.filterFirstRows;
    while (after < cursor.at) {
      const upTo = Math.min(rangeEnd.get(after, rows) ?? cursor.at, cursor.at);
      const begun = performance.now();
      clock.begin(rows > 1 ? limits.filterStatementMs : limits.filterRowMs);
      let outcome: T;
      try {
        outcome = run(after, upTo);
      } catch (thrown) {
        if (rows === 1 || !isTooSlow(thrown)) throw thrown;
        rows = Math.max(1, Math.floor(rows / 16));
        continue;
      }
      yield [upTo, outcome];
      const quick = performance.now() - begun < sliceMs / 4;
      rows = quick ? Math.min(rows * 2, limits.filterScanRows) : Math.max(rows / 2, 1);
      after = upTo;
    }
  }

  function byTime(query: PageQuery, cursor: Cursor): PartialPage {
    const begun = performance.now();
    const { sql, params } = condition(query, cursor.at);
    const scan = db
      .prepare(
        `SELECT ${columnsOf(query)} FROM log l WHERE l.time > ? AND l.time <= ? AND ${sql} ORDER BY l.time`,
      )
      .raw();
    const rows: LogRow[] = [];
    const read = (after: number, upTo: number) => {
      const before = rows.length;
      try {
        return collect(scan.iterate(after, upTo, ...params), rows, query);
      } catch (thrown) {
        rows.length = before;
        throw thrown;
      }
    };
    for (const [upTo, full] of overRanges(cursor, read)) {
      const time = full ? (rows.at(-1)?.[0] ?? upTo) : upTo;
      if (time >= cursor.at) break;
      if (full || performance.now() - begun > sliceMs)
        return { documents: versionsOf(query, rows), cursor: formatCursor({ ...cursor, time }) };
    }
    return { documents: versionsOf(query, rows) };
  }

  /** Lists in the order of fields: one statement sorts the times alone. The position is fixed, so an offset in rows is exact. */
  function sorted(query: PageQuery, cursor: Cursor): PartialPage {
    const { sql, params } = condition(query, cursor.at);
    const order = orderToSql(query.orderBy ?? []);
    const skip = cursor.skip ?? 0;
    clock.begin(limits.sortedStatementMs);
    const times = db
      .prepare<Parameter[], number>(
        `SELECT l.time FROM log l WHERE l.time <= ? AND ${sql} ORDER BY ${order.sql}, l.link LIMIT ? OFFSET ?`,
      )
      .pluck()
      .all(cursor.at, ...params, ...order.params, query.limit + 1, skip);
    const fetch = db.prepare(`SELECT ${columnsOf(query)} FROM log WHERE time = ?`).raw();
    const wanted = times.slice(0, query.limit);
    const rows: LogRow[] = [];
    const fetched = function* () {
      for (const time of wanted) yield fetch.get(time);
    };
    collect(fetched(), rows, query);
    const more = rows.length < times.length;
    return {
      documents: versionsOf(query, rows),
      ...(more && { cursor: formatCursor({ ...cursor, skip: skip + rows.length }) }),
    };
  }

  return {
    page({ query }) {
      const cursor = start(query, query.cursor);
      if (query.orderBy && query.orderBy.length > 0) return sorted(query, cursor);
      return query.filter || query.allVersions ? byTime(query, cursor) : byLink(query, cursor);
    },
    count({ query, cursor: text }) {
      const cursor = start(query, text);
      const begun = performance.now();
      const { sql, params } = condition(query, cursor.at);
      const scan = db
        .prepare<Parameter[], number>(
          `SELECT count(*) FROM log l WHERE l.time > ? AND l.time <= ? AND ${sql}`,
        )
        .pluck();
      let count = 0;
      for (const [upTo, found] of overRanges(
        cursor,
        (after, end) => scan.get(after, end, ...params) ?? 0,
      )) {
        count += found;
        if (upTo < cursor.at && performance.now() - begun > sliceMs)
          return { count, cursor: formatCursor({ ...cursor, time: upTo }) };
      }
      return { count };
    },
  };
}
