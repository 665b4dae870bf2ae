import type { SegmentSource } from "../engine/engine.js";
import { checkRange } from "./check-rows.js";
import { readSegment } from "./segment-file.js";

/** Counts of a sample of segments. */
export interface Sampled {
  records: number;
  /** Bytes of text that the checksums cover. */
  bytes: number;
}

/** Consecutive rows per run: enough that seeking the first row costs little. */
const runRows = 100;
const runsMax = 10_000;

/**
 * Checks about `percent` of the rows, in runs at random times, so that each sample reads other
 * rows. Throws BACKUP_DAMAGED.
 */
export function sampleRows(segment: SegmentSource, percent: number): Sampled {
  return readSegment(segment, (db) => {
    const ends = db
      .prepare<[], [number | null, number | null]>(
        "SELECT (SELECT min(time) FROM log), (SELECT max(time) FROM log)",
      )
      .raw()
      .get();
    const [first, last] = ends ?? [null, null];
    const sum: Sampled = { records: 0, bytes: 0 };
    if (first === null || last === null) return sum;
    const runs = Math.min(runsMax, Math.ceil((segment.records * percent) / 100 / runRows));
    const width = (last - first + 1) / runs;
    let after = first - 1;
    for (let run = 0; run < runs; run += 1) {
      const from = Math.max(
        after,
        Math.floor(first - 1 + (run + (run === 0 ? 0 : Math.random())) * width),
      );
      checkRange(db, segment, { after: from, upTo: last, rows: runRows }, (records, bytes) => {
        sum.records += records;
        sum.bytes += bytes;
      });
      after = from;
    }
    return sum;
  });
}
