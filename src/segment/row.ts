import { crc32 } from "node:zlib";
import type { Action, DocumentVersion } from "../document/document.js";
import { HostError } from "../errors.js";

/** A row of `log` in the order of its columns, without the checksum. */
export type LogRow = [
  time: number,
  link: string,
  version: number,
  action: string,
  kind: string,
  owner: string,
  expires: number,
  body: string,
];
/** The columns of a LogRow, in its order. */
export const logRowColumns = "time, link, version, action, kind, owner, expires, body";

/**
 * SQL for the text of which a row of `log` stores the CRC-32: its other columns, joined by line
 * feeds. Only the body may contain a line feed.
 */
export const logChecksumText =
  "time || x'0a' || link || x'0a' || version || x'0a' || action || x'0a' || kind || x'0a' || owner || x'0a' || expires || x'0a' || body";
/** The same for a row of `prune`. */
export const pruneChecksumText =
  "link || x'0a' || time || x'0a' || version || x'0a' || since || x'0a' || until";

/** Returns the checksum of a row of `log`. */
export function logChecksum(row: LogRow): number {
  return crc32(row.join("\n"));
}

/** Returns the checksum of a row of `prune`. */
export function pruneChecksum(
  link: string,
  time: number,
  version: number,
  since: number,
  until: number,
): number {
  return crc32(`${link}\n${time}\n${version}\n${since}\n${until}`);
}

/**
 * Returns the version in a row after verifying its checksum. Throws INDEX_DAMAGED if the row has
 * changed on disk.
 */
export function checkedVersion(row: LogRow, crc: number): DocumentVersion {
  if (logChecksum(row) === crc) return toVersion(row);
  throw new HostError(
    "INDEX_DAMAGED",
    `Version ${row[2]} of ${row[1]} does not match its checksum: it has changed on disk. Restore the index from a backup.`,
    { metadata: { link: row[1], version: String(row[2]) } },
  );
}

/** The columns of a CheckedRow, in its order. */
export const checkedColumns = `${logRowColumns}, crc`;
/** A row of `log` with its checksum. */
export type CheckedRow = [...LogRow, crc: number];

/** Returns a row with its checksum. */
export const withChecksum = (row: LogRow): CheckedRow => [...row, logChecksum(row)];

/** Like checkedVersion, for a row that was selected with `checkedColumns`. */
export const checkedRow = (row: CheckedRow) => checkedVersion(row.slice(0, -1) as LogRow, row[8]);

/** Returns the version in a row without verifying its checksum. */
export function toVersion(row: LogRow): DocumentVersion {
  return {
    updateTimeMicros: row[0],
    link: row[1],
    version: row[2],
    action: row[3] as Action,
    kind: row[4],
    owner: row[5],
    expirationTimeMicros: row[6],
    body: row[7],
  };
}

/** Converts a version to its row, without the checksum. */
export const toLogRow = (version: DocumentVersion): LogRow => [
  version.updateTimeMicros,
  version.link,
  version.version,
  version.action,
  version.kind,
  version.owner,
  version.expirationTimeMicros,
  version.body,
];
