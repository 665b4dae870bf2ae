import type { DocumentVersion } from "../../document/document.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import { checkedRow, type CheckedRow } from "../../segment/row.js";
import { compactedTime } from "../engine-errors.js";
import type { IndexState, LogAround, LogEntry, RowId } from "../engine.js";
import { restorableWindow } from "../restorable-window.js";
import type { LiveIndex } from "./live-index.js";
import { formatVersion, rowColumns } from "./tables.js";

/** A statement whose rows are those of `rows` if the expected generation is live: see LiveIndex.read. */
export const guarded = (idx: string, rows: string) =>
  `SELECT i.live, r.* FROM ${idx} i LEFT JOIN LATERAL (${rows}) r ON i.live = $2 WHERE i.id = $1`;

/** Reads the given version of a document, or the latest one at or before a time. */
export async function readVersion(
  index: LiveIndex,
  link: string,
  { version, atMicros }: { version?: number; atMicros?: number },
): Promise<DocumentVersion | undefined> {
  const { tables } = index;
  const [kind, condition, value] =
    version !== undefined
      ? (["version", "AND version = $4", version] as const)
      : (["time", "AND time <= $4", atMicros ?? 0] as const);
  if (kind === "time") await requireKept(index, atMicros ?? 0, link);
  const [row] = await index.read(
    {
      name: `read-${kind}`,
      text: (generation) =>
        guarded(
          tables.idx,
          `SELECT ${rowColumns} FROM ${tables.log(generation)} WHERE link = $3 ${condition} ORDER BY version DESC LIMIT 1`,
        ),
    },
    [link, value],
    `Reading ${link} of ${index.name}`,
  );
  return row && checkedRow(row as CheckedRow);
}

/** Lists versions of a link, newest first, and ends early at limits.pageBytes of bodies. */
export async function readVersions(
  index: LiveIndex,
  link: string,
  limit: number,
  beforeVersion = Number.MAX_SAFE_INTEGER,
): Promise<DocumentVersion[]> {
  const { tables } = index;
  const rows = await index.read(
    {
      name: "versions",
      // The sizes first, so that large bodies are not read for nothing.
      text: (generation) =>
        guarded(
          tables.idx,
          `SELECT l.* FROM (SELECT time, sum(octet_length(body)) OVER (ORDER BY version DESC) - octet_length(body) AS before
           FROM ${tables.log(generation)} WHERE link = $3 AND version < $4 ORDER BY version DESC LIMIT $5) s
         JOIN LATERAL (SELECT ${rowColumns} FROM ${tables.log(generation)} l WHERE l.time = s.time) l ON s.before < ${limits.pageBytes} ORDER BY l.version DESC`,
        ),
    },
    [link, beforeVersion, limit],
    `Reading ${link} of ${index.name}`,
    "scanner",
  );
  return rows.map((row) => checkedRow(row as CheckedRow));
}

/** TARGET_TIME_OUT_OF_RANGE if a version of that time was compacted: of the link, or of any link. */
export async function requireKept(
  index: LiveIndex,
  atMicros: number,
  link?: string,
): Promise<void> {
  const { tables } = index;
  const [found] = await index.read(
    {
      name: link === undefined ? "lost" : "lost-link",
      text: (generation) =>
        guarded(
          tables.idx,
          `SELECT link, until FROM ${tables.prune(generation)} WHERE since <= $3 AND until > $3 ${link === undefined ? "" : "AND link = $4"} ORDER BY until DESC LIMIT 1`,
        ),
    },
    link === undefined ? [atMicros] : [atMicros, link],
    `Reading ${index.name}`,
  );
  if (found === undefined) return;
  const [bounding, until] = found as [string, number];
  throw compactedTime(formatTime(atMicros), bounding, formatTime(until), until);
}

/** The columns of the statement of readState. */
type StateRow = [
  lineage: string,
  parents: string,
  documents: number,
  versions: number,
  lastLog: number,
  lastPrune: number,
  firstMicros: number,
  compactedSinceMicros: number,
  boundLink: string | null,
  until: number | null,
  time: number | null,
  link: string | null,
  version: number | null,
  crc: number | null,
  sizeBytes: number,
];

export async function readState(
  index: LiveIndex,
  indexId: string,
  nowMicros: number,
): Promise<IndexState> {
  const { tables } = index;
  const [row] = await index.read(
    {
      name: "state",
      text: (generation) => {
        const [log, prune] = [tables.log(generation), tables.prune(generation)];
        return guarded(
          tables.idx,
          `SELECT g.lineage, g.parents, g.documents, g.versions,
             coalesce((SELECT max(time) FROM ${log}), 0), coalesce((SELECT max(time) FROM ${prune}), 0), coalesce((SELECT min(time) FROM ${log}), 0),
             coalesce((SELECT min(since) FROM ${prune}), 0), b.link, b.until, r.time, r.link, r.version, r.crc, pg_total_relation_size('${log}')
           FROM ${tables.generation} g
             LEFT JOIN LATERAL (SELECT link, until FROM ${prune} ORDER BY until DESC LIMIT 1) b ON true
             LEFT JOIN LATERAL (SELECT time, link, version, crc FROM ${log} ORDER BY time DESC LIMIT 1) r ON true
           WHERE g.number = $2`,
        );
      },
    },
    [],
    `Reading the state of ${index.name}`,
  );
  const [
    lineage,
    parents,
    documents,
    versions,
    lastLog,
    lastPrune,
    firstMicros,
    compactedSinceMicros,
    boundLink,
    until,
    time,
    link,
    version,
    crc,
    sizeBytes,
  ] = row as StateRow;
  const positionMicros = Math.max(lastLog, lastPrune);
  return {
    indexId,
    lineage,
    parents: JSON.parse(parents) as IndexState["parents"],
    formatVersion,
    positionMicros,
    documents,
    versions,
    sizeBytes,
    window: restorableWindow({
      firstMicros,
      positionMicros,
      nowMicros,
      ...(boundLink !== null &&
        until !== null && { bound: { link: boundLink, untilMicros: until } }),
      compactedSinceMicros,
    }),
    ...(time !== null &&
      link !== null &&
      version !== null &&
      crc !== null && { lastRecord: { timeMicros: time, link, version, crc } }),
  };
}

/** Implements Engine.contains. */
export async function containsRow(index: LiveIndex, row: RowId): Promise<boolean> {
  const { tables } = index;
  const found = await index.read(
    {
      text: (generation) =>
        guarded(
          tables.idx,
          `SELECT 1 AS found FROM ${tables.log(generation)} WHERE time = $3 AND link = $4 AND version = $5 AND crc = $6
         UNION ALL SELECT 1 FROM ${tables.prune(generation)} WHERE link = $4 AND version >= $5 AND time > $3`,
        ),
    },
    [row.timeMicros, row.link, row.version, row.crc],
    `Reading ${index.name}`,
  );
  return found.length > 0;
}

/** Implements Engine.around. */
export async function readAround(
  index: LiveIndex,
  timeMicros: number,
  count: number,
): Promise<LogAround> {
  const { tables } = index;
  const entries = async (after: boolean): Promise<LogEntry[]> => {
    const rows = await index.read(
      {
        text: (generation) =>
          guarded(
            tables.idx,
            `SELECT time, link, version, action, kind FROM ${tables.log(generation)} WHERE time ${after ? ">" : "<="} $3 ORDER BY time ${after ? "" : "DESC"} LIMIT $4`,
          ),
      },
      [timeMicros, count],
      `Reading ${index.name}`,
      "scanner",
    );
    return (rows as [number, string, number, LogEntry["action"], string][]).map(
      ([time, link, version, action, kind]) => ({ timeMicros: time, link, version, action, kind }),
    );
  };
  const [[afterCount] = [0]] = (await index.read(
    {
      text: (generation) =>
        guarded(tables.idx, `SELECT count(*) FROM ${tables.log(generation)} WHERE time > $3`),
    },
    [timeMicros],
    `Reading ${index.name}`,
    "scanner",
  )) as [number][];
  return { before: await entries(false), after: await entries(true), afterCount };
}
