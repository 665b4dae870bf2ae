import type { DocumentVersion } from "../../document/document.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { checkedRow, toVersion, type CheckedRow } from "../../segment/row.js";
import { formatCursor, parseCursor, type Cursor } from "../cursor.js";
import type { Page, PageQuery, RunInSlot } from "../engine.js";
import type { FilterThread } from "../filter/filter-thread.js";
import type { LiveIndex } from "./live-index.js";
import { guarded, readState, requireKept } from "./reads.js";
import { rowColumns } from "./tables.js";

/** Follows every link with the prefix in the order of bytes. */
const afterPrefix = (prefix: string) => `${prefix}\u{10FFFF}`;

type Selection = Omit<PageQuery, "limit" | "expand">;

/** A row of a listing whose body has not been read: its time, and the size of its body. */
interface Found {
  time: number;
  bytes: number;
}

/** Lists and counts documents. Filters and orders by fields are those of FilterThread. */
export class Pages {
  constructor(
    private readonly index: LiveIndex,
    private readonly filters: FilterThread,
  ) {}

  async page(query: PageQuery, signal?: AbortSignal, slot?: RunInSlot): Promise<Page> {
    const cursor = await this.start(query);
    const inSlot: RunInSlot = (slice) => {
      if (signal?.aborted) throw HostError.from(signal.reason);
      return slot ? slot(slice) : slice();
    };
    if (query.orderBy && query.orderBy.length > 0) return this.sorted(query, cursor, inSlot);
    return query.filter || query.allVersions
      ? this.byTime(query, cursor, inSlot)
      : this.byLink(query, cursor, inSlot);
  }

  async count(
    query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">,
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<number> {
    const cursor = await this.start(query);
    let count = 0;
    for await (const rows of this.matching(query, cursor, signal, slot)) count += rows.length;
    return count;
  }

  private async start({
    cursor: text,
    atMicros,
    allVersions,
  }: Pick<PageQuery, "cursor" | "atMicros" | "allVersions">): Promise<Cursor> {
    const { positionMicros } = await readState(this.index, "", 0);
    const cursor =
      text === undefined
        ? { at: atMicros === undefined ? positionMicros : Math.min(atMicros, positionMicros) }
        : parseCursor(text);
    // Compaction may remove versions that the listing has not reached yet.
    if (cursor.at < positionMicros && !allVersions) await requireKept(this.index, cursor.at);
    return cursor;
  }

  /** Lists the latest version of each link at the position of the cursor, in the order of links. */
  private async byLink(query: PageQuery, cursor: Cursor, inSlot: RunInSlot): Promise<Page> {
    const documents: DocumentVersion[] = [];
    const { tables } = this.index;
    const { limit, pageBytes = limits.pageBytes, kind, includeDeleted = false } = query;
    let bytes = 0;
    let after = cursor.link ?? query.linkPrefix;
    for (;;) {
      const links = (await inSlot(() =>
        this.scan(
          (generation) =>
            `SELECT DISTINCT ON (link) link, time, action FROM ${tables.log(generation)}
             WHERE link > $3 AND link < $4 AND time <= $5 ORDER BY link, version DESC LIMIT $6`,
          [after, afterPrefix(query.linkPrefix), cursor.at, Math.min(limits.scanRows, limit + 1)],
        ),
      )) as [string, number, string][];
      const wanted = links.filter(([, , action]) => includeDeleted || action !== "DELETE");
      const rows = await this.rowsOf(
        wanted.map(([, time]) => time),
        query,
        pageBytes - bytes,
      );
      const full = rows.length < wanted.length;
      let ends = full ? (wanted[rows.length - 1]?.[0] ?? after) : (links.at(-1)?.[0] ?? after);
      let isFull = full;
      for (const row of rows) {
        if (row === undefined || (kind !== undefined && row.kind !== kind)) continue;
        documents.push(row);
        bytes += row.body.length;
        if (documents.length < limit && bytes < pageBytes) continue;
        ends = row.link;
        isFull = true;
        break;
      }
      after = ends;
      const isLast = links.length < Math.min(limits.scanRows, limit + 1);
      if (!isFull && isLast) return { documents };
      if (isFull) {
        // The page may end with the listing.
        const more = !(isLast && after === links.at(-1)?.[0]);
        return { documents, ...(more && { cursor: formatCursor({ ...cursor, link: after }) }) };
      }
    }
  }

  /** Lists in the order of the log. */
  private async byTime(query: PageQuery, cursor: Cursor, inSlot: RunInSlot): Promise<Page> {
    const documents: DocumentVersion[] = [];
    let bytes = 0;
    for await (const rows of this.matching(query, cursor, undefined, inSlot)) {
      for (const row of rows) {
        documents.push(shown(row, query));
        bytes += query.expand ? row[7].length : 0;
        if (documents.length >= query.limit || bytes >= (query.pageBytes ?? limits.pageBytes))
          return row[0] >= cursor.at
            ? { documents }
            : { documents, cursor: formatCursor({ ...cursor, time: row[0] }) };
      }
    }
    return { documents };
  }

  /** Lists in the order of fields. The position is fixed, so an offset in rows is exact. */
  private async sorted(query: PageQuery, cursor: Cursor, inSlot: RunInSlot): Promise<Page> {
    const { skip = 0 } = cursor;
    const sort = this.filters.sort(query.orderBy ?? []);
    const { filter, ...unfiltered } = query;
    try {
      for await (const rows of this.matching(unfiltered, cursor, undefined, inSlot))
        await sort.add({ rows, filter });
    } catch (error) {
      // Drops what was added.
      await sort.times(0, 0).catch(() => {});
      throw error;
    }
    const times = await sort.times(skip, query.limit + 1);
    const documents: DocumentVersion[] = [];
    let bytes = 0;
    const { limit, pageBytes = limits.pageBytes } = query;
    for (const time of times.slice(0, limit)) {
      const [row] = await this.rowsOf([time], query, pageBytes);
      if (row === undefined) continue;
      documents.push(row);
      bytes += row.body.length;
      if (bytes >= pageBytes) break;
    }
    const more = documents.length < times.length;
    return {
      documents,
      ...(more && { cursor: formatCursor({ ...cursor, skip: skip + documents.length }) }),
    };
  }

  /** Yields the rows that are the state of selected documents at the position of the cursor, in the order of the log. */
  private async *matching(
    query: Selection,
    cursor: Cursor,
    signal?: AbortSignal,
    slot: RunInSlot = (slice) => slice(),
  ): AsyncGenerator<CheckedRow[]> {
    const { filter } = query;
    let after = cursor.time ?? 0;
    while (after < cursor.at) {
      if (signal?.aborted) throw HostError.from(signal.reason);
      const from = after;
      const found = await slot(() => this.range(query, cursor.at, from));
      const rows = await slot(() => this.bodies(found.rows));
      const last = rows.at(-1)?.[0];
      after = rows.length < found.rows.length ? (last ?? found.upTo) : found.upTo;
      if (rows.length === 0) continue;
      if (!filter) yield rows;
      else {
        const kept = await this.filters.match({ rows, filter });
        yield kept.map((at) => rows[at]).filter((row) => row !== undefined);
      }
    }
  }

  /** Finds the next rows of a selection after a time, of at most limits.filterScanRows rows of the log. */
  private async range(
    query: Selection,
    at: number,
    after: number,
  ): Promise<{ rows: Found[]; upTo: number }> {
    const { tables } = this.index;
    const conditions = ["l.link >= $5 AND l.link < $6"];
    const values: unknown[] = [after, at, query.linkPrefix, afterPrefix(query.linkPrefix)];
    if (query.kind !== undefined) {
      values.push(query.kind);
      conditions.push(`l.kind = $${values.length + 2}`);
    }
    if (!query.includeDeleted && !query.allVersions) conditions.push("l.action <> 'DELETE'");
    const rows = (await this.scan((generation) => {
      const log = tables.log(generation);
      const latest = query.allVersions
        ? ""
        : `AND NOT EXISTS (SELECT 1 FROM ${log} h WHERE h.link = l.link AND h.version > l.version AND h.time <= $4)`;
      return `WITH part AS (SELECT * FROM ${log} WHERE time > $3 AND time <= $4 ORDER BY time LIMIT ${limits.filterScanRows}),
            bounds AS (SELECT count(*) AS rows, max(time) AS last FROM part)
          SELECT b.last, b.rows, f.time, f.bytes FROM bounds b LEFT JOIN LATERAL
            (SELECT l.time, octet_length(l.body) AS bytes FROM part l WHERE ${conditions.join(" AND ")} ${latest} ORDER BY l.time) f ON true`;
    }, values)) as [number, number, number | null, number][];
    const [[last, count] = [at, 0]] = rows;
    return {
      rows: rows.flatMap(([, , time, bytes]) => (time === null ? [] : [{ time, bytes }])),
      upTo: count < limits.filterScanRows ? at : last,
    };
  }

  /** Reads rows until their bodies exceed limits.pageBytes: at least one, if there is one. */
  private async bodies(found: readonly Found[]): Promise<CheckedRow[]> {
    let bytes = 0;
    let count = 0;
    for (const one of found) {
      if (count > 0 && bytes + one.bytes > limits.pageBytes) break;
      bytes += one.bytes;
      count += 1;
    }
    return this.fetch(found.slice(0, count).map(({ time }) => time));
  }

  /** Returns the documents with these times, in their order; fewer if their bodies exceed the bytes, but at least one. */
  private async rowsOf(
    times: readonly number[],
    query: Pick<PageQuery, "expand">,
    maxBytes: number,
  ): Promise<DocumentVersion[]> {
    if (times.length === 0) return [];
    const { tables } = this.index;
    const sizes = query.expand
      ? new Map(
          (await this.scan(
            (generation) =>
              `SELECT time, octet_length(body) FROM ${tables.log(generation)} WHERE time = ANY($3::bigint[])`,
            [times],
          )) as [number, number][],
        )
      : undefined;
    let bytes = 0;
    const wanted: number[] = [];
    for (const time of times) {
      wanted.push(time);
      bytes += sizes?.get(time) ?? 0;
      if (bytes >= maxBytes) break;
    }
    const rows = await this.fetch(wanted, query.expand);
    const byTime = new Map(rows.map((row) => [row[0], row]));
    return wanted.flatMap((time) => {
      const row = byTime.get(time);
      return row ? [shown(row, query)] : [];
    });
  }

  private async fetch(times: readonly number[], withBodies = true): Promise<CheckedRow[]> {
    if (times.length === 0) return [];
    const { tables } = this.index;
    const columns = withBodies
      ? rowColumns
      : "time, link, version, action, kind, owner, expires, '' AS body, crc";
    return (await this.scan(
      (generation) =>
        `SELECT ${columns} FROM ${tables.log(generation)} WHERE time = ANY($3::bigint[]) ORDER BY time`,
      [times],
    )) as CheckedRow[];
  }

  private scan(
    text: (generation: number) => string,
    values: readonly unknown[],
  ): Promise<unknown[][]> {
    const { tables } = this.index;
    return this.index.read(
      { text: (generation) => guarded(tables.idx, text(generation)) },
      values,
      `Reading ${this.index.name}`,
      "scanner",
    );
  }
}

/** A body is returned only after its checksum matched. */
function shown(row: CheckedRow, { expand }: Pick<PageQuery, "expand">): DocumentVersion {
  if (expand) return checkedRow(row);
  const [time, link, version, action, kind, owner, expires] = row;
  return toVersion([time, link, version, action, kind, owner, expires, ""]);
}
