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
export const logRowColumns = "time, link, version, action, kind, owner, expires, body";

/** The text whose crc32 a row carries: all its other columns, joined by line feeds, which only the body may hold. */
export const logChecksumText =
  "time || x'0a' || link || x'0a' || version || x'0a' || action || x'0a' || kind || x'0a' || owner || x'0a' || expires || x'0a' || body";
export const pruneChecksumText =
  "link || x'0a' || time || x'0a' || version || x'0a' || since || x'0a' || until";

export function logChecksum(row: LogRow): number {
  return crc32(row.join("\n"));
}

export function pruneChecksum(
  link: string,
  time: number,
  version: number,
  since: number,
  until: number,
): number {
  return crc32(`${link}\n${time}\n${version}\n${since}\n${until}`);
}

/** The document of a row whose checksum agrees; INDEX_DAMAGED where a bit of it has changed on the disk. */
export function checkedVersion(row: LogRow, crc: number): DocumentVersion {
  if (logChecksum(row) === crc) return toVersion(row);
  throw new HostError(
    "INDEX_DAMAGED",
    `Version ${row[2]} of ${row[1]} does not agree with its checksum: the disk has changed it. Restore the index from a backup.`,
    { metadata: { link: row[1], version: String(row[2]) } },
  );
}

/** The columns of a row with its checksum, in the order of `checkedRow`. */
export const checkedColumns = `${logRowColumns}, crc`;
export type CheckedRow = [...LogRow, crc: number];

/** As checkedVersion, of a row as checkedColumns gives it. */
export const checkedRow = (row: CheckedRow) => checkedVersion(row.slice(0, -1) as LogRow, row[8]);

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
