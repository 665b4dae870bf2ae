import Database from "better-sqlite3";
import type { Filter, OrderBy } from "../../document/filter.js";
import { limits } from "../../limits.js";
import { serveWorker } from "../../io/worker-loop.js";
import { createSegmentTables, logColumns } from "../../segment/tables.js";
import type { CheckedRow } from "../../segment/row.js";
import { filterToSql, orderToSql } from "./filter-sql.js";
import { definePatterns, isTooSlow } from "./patterns.js";

/** Rows of a log, in which a filter selects some. */
export interface RowsCall {
  rows: CheckedRow[];
  filter: Filter | undefined;
}
export type FilterCall =
  /** Returns the positions of the rows that match. */
  | ({ kind: "match" } & RowsCall)
  /** Adds the rows that match to a sort, which begins with its first rows. */
  | ({ kind: "sort"; id: number; orderBy: OrderBy[] } & RowsCall)
  /** Ends a sort, and returns the update times of its rows in order. */
  | { kind: "sorted"; id: number; offset: number; limit: number };
export type FilterAnswer = number[];

/** Keys of a sort: a table with one column for each field. */
interface Sort {
  terms: number;
  directions: string[];
}

serveWorker<FilterCall, FilterAnswer>(() => {
  // A file that SQLite removes when it is closed: sorts may be larger than the memory.
  const db = new Database("");
  db.pragma("journal_mode = OFF");
  db.pragma("synchronous = OFF");
  createSegmentTables(db);
  const clock = definePatterns(db);
  const insert = db.prepare(`INSERT INTO log (${logColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const clear = db.prepare("DELETE FROM log");
  const sorts = new Map<number, Sort>();

  const load = db.transaction((rows: CheckedRow[]) => {
    clear.run();
    for (const [time, link, version, action, kind, owner, expires, body, crc] of rows)
      insert.run(time, link, version, action, kind, owner, expires, crc, body);
  });

  /** Runs a statement over the rows; one that is too slow is repeated over fewer rows, down to one. */
  function inParts(rows: CheckedRow[], run: () => void): void {
    load(rows);
    clock.begin(rows.length > 1 ? limits.filterStatementMs : limits.filterRowMs);
    try {
      run();
    } catch (thrown) {
      if (rows.length <= 1 || !isTooSlow(thrown)) throw thrown;
      const half = Math.ceil(rows.length / 2);
      inParts(rows.slice(0, half), run);
      inParts(rows.slice(half), run);
    }
  }

  const where = (filter: Filter | undefined) =>
    filter ? filterToSql(filter) : { sql: "1", params: [] };

  function match({ rows, filter }: RowsCall): number[] {
    const { sql, params } = where(filter);
    const select = db.prepare(`SELECT time FROM log l WHERE ${sql}`).pluck();
    const times = new Set<number>();
    inParts(rows, () => {
      for (const time of select.all(...params) as number[]) times.add(time);
    });
    return rows.flatMap(([time], at) => (times.has(time) ? [at] : []));
  }

  function sort(id: number, orderBy: OrderBy[], { rows, filter }: RowsCall): void {
    const { sql, params } = where(filter);
    const keys = orderBy.map((one) => orderToSql([{ ...one, descending: false }]));
    if (!sorts.has(id)) {
      sorts.set(id, {
        terms: keys.length,
        directions: orderBy.map(({ descending }) => (descending ? " DESC" : "")),
      });
      const columns = keys.map((_, at) => `k${at}`);
      db.exec(
        `CREATE TABLE sort_${id} (${["time INTEGER PRIMARY KEY", "link", ...columns].join(", ")})`,
      );
    }
    const add = db.prepare(
      `INSERT OR IGNORE INTO sort_${id} SELECT l.time, l.link, ${keys.map((key) => key.sql).join(", ")} FROM log l WHERE ${sql}`,
    );
    inParts(rows, () => {
      add.run(...keys.flatMap((key) => key.params), ...params);
    });
  }

  function sorted(id: number, offset: number, limit: number): number[] {
    const found = sorts.get(id);
    if (!found) return [];
    sorts.delete(id);
    const order = found.directions.map((direction, at) => `k${at}${direction}`);
    const times = db
      .prepare(
        `SELECT time FROM sort_${id} ORDER BY ${[...order, "link"].join(", ")} LIMIT ? OFFSET ?`,
      )
      .pluck()
      .all(limit, offset) as number[];
    db.exec(`DROP TABLE sort_${id}`);
    return times;
  }

  return {
    handle(call) {
      switch (call.kind) {
        case "match":
          return match(call);
        case "sort":
          sort(call.id, call.orderBy, call);
          return [];
        case "sorted":
          return sorted(call.id, call.offset, call.limit);
      }
    },
    close: () => void db.close(),
  };
});
