import { crc32 } from "node:zlib";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { IndexCheck } from "../engine.js";
import { logChecksumText, pruneChecksumText } from "../../segment/row.js";
import { countLog, openIndex, readMeta, readPosition } from "./schema.js";

/**
 * Checks a live index while the host writes to it: runs SQLite's own check, which compares each key index with the log,
 * and compares the checksum of each version up to the present position, and the counts. INDEX_DAMAGED names the damage.
 * Blocks: call it in a process of its own.
 */
export function checkIndex(path: string, onRows: (rows: number) => void): IndexCheck {
  const db = openIndex(path, "read", true, 16 * 1024);
  const problems: string[] = [];
  try {
    const verdict = db.pragma(`integrity_check(${limits.checkProblems})`) as {
      integrity_check: string;
    }[];
    for (const { integrity_check: line } of verdict) if (line !== "ok") problems.push(line);
    const checked = checkRows();
    const counted = db.transaction(() => ({ log: countLog(db), recorded: readMeta(db).counts }))();
    const { recorded } = counted;
    if (
      recorded === undefined ||
      recorded.documents !== counted.log.documents ||
      recorded.versions !== counted.log.versions
    ) {
      problems.push(
        `it records ${recorded?.documents ?? "an unknown number of"} documents with ${recorded?.versions ?? "an unknown number of"} versions, and its log contains ${counted.log.documents} with ${counted.log.versions}`,
      );
    }
    if (problems.length > 0) throw damaged();
    return { ...checked, ...counted.log };
  } finally {
    db.close();
  }

  function checkRows(): Pick<IndexCheck, "records" | "bytes"> {
    const end = readPosition(db);
    const scan = db
      .prepare<[number, number, number]>(
        `SELECT time, link, version, crc, ${logChecksumText} FROM log WHERE time > ? AND time <= ? ORDER BY time LIMIT ?`,
      )
      .raw();
    let records = 0;
    let bytes = 0;
    for (let after = Number.MIN_SAFE_INTEGER, more = true; more;) {
      let rows = 0;
      for (const [time, link, version, crc, text] of scan.iterate(
        after,
        end,
        limits.scanRows,
      ) as IterableIterator<[number, string, number, number, string | null]>) {
        if (text === null || crc32(text) !== crc)
          note(`version ${version} of ${JSON.stringify(link)} does not match its checksum`);
        bytes += text?.length ?? 0;
        rows += 1;
        after = time;
      }
      records += rows;
      more = rows === limits.scanRows;
      onRows(records);
    }
    for (const [link, crc, text] of db
      .prepare(`SELECT link, crc, ${pruneChecksumText} FROM prune`)
      .raw()
      .iterate() as IterableIterator<[string, number, string]>) {
      if (crc32(text) !== crc)
        note(`the record of the compaction of ${JSON.stringify(link)} does not match its checksum`);
    }
    return { records, bytes };
  }

  function note(problem: string): void {
    if (problems.length < limits.checkProblems) problems.push(problem);
  }

  function damaged(): HostError {
    return new HostError(
      "INDEX_DAMAGED",
      `The index ${path} is damaged: ${problems.slice(0, limits.checkProblems).join("; ")}. Back it up with --full: if that succeeds, restoring that backup repairs the key indexes. Otherwise restore the newest backup that passes a full verification.`,
      {
        metadata: { problems: String(problems.length) },
      },
    );
  }
}
