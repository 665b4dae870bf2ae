import type { SegmentSource } from "../engine/engine.js";
import { checkRows, type Half } from "./check-rows.js";
import { serveWorker } from "../io/worker-loop.js";

/** Rows for a worker thread to check. */
export interface CheckCall {
  segments: SegmentSource[];
  /** The half of each segment to check. Default: all rows. */
  half?: Half;
}

serveWorker<CheckCall, undefined>(() => {
  return {
    handle({ segments, half }, progress) {
      let rows = 0;
      for (const segment of segments)
        checkRows(segment, (count) => progress((rows += count)), half);
      return undefined;
    },
    close: () => {},
  };
});
