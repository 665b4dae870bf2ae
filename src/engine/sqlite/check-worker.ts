import type { SegmentSource } from "../engine.js";
import { checkRows } from "./segment.js";
import { serveWorker } from "./worker-loop.js";

/** Checks the rows of segments beside the thread that loads them. */
serveWorker<SegmentSource[], undefined>(() => {
  return {
    handle(segments, progress) {
      let rows = 0;
      for (const segment of segments) checkRows(segment, (count) => progress((rows += count)));
      return undefined;
    },
    close: () => {},
  };
});
