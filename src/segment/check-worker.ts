import type { SegmentSource } from "../engine/engine.js";
import { checkRows, type Half } from "./segment-file.js";
import { serveWorker } from "../io/worker-loop.js";

export interface CheckCall {
  segments: SegmentSource[];
  /** Absent: all of each. */
  half?: Half;
}

/** Checks the rows of segments beside the thread that loads them. */
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
