import type { Sampled, SegmentSource } from "../engine/engine.js";
import { checkRange, readSegment } from "./segment-file.js";

/** How many rows that follow each other are one part of a sample: enough that finding the first one costs little. */
const runRows = 100;
const runsMax = 10_000;

/** Checks runs of rows, spread over the time of the segment by chance, so that each sample looks at others. */
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
