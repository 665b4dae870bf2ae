import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { workerData } from "node:worker_threads";
import { HostError } from "../../errors.js";
import { serveWorker } from "../../io/worker-loop.js";
import { checkChain } from "../../segment/chain-check.js";
import { checkRows } from "../../segment/check-rows.js";
import { checkDigest } from "../../segment/segment-file.js";
import type { SegmentContent } from "../engine.js";
import type { CopyAnswer, CopyCall, CopyWorkerData } from "./copier.js";

/** Lowers the priority of this thread where the system supports it, so that writers and readers go first. */
function lowerPriority(): void {
  try {
    setPriority(
      Number(readlinkSync("/proc/thread-self").split("/").at(-1)),
      constants.priority.PRIORITY_BELOW_NORMAL,
    );
  } catch {
    // This system has no priorities per thread.
  }
}

/**
 * Serves the calls of a copier in its thread. `exportSegment` writes a segment; `report` receives the number of rows,
 * and throws to cancel.
 */
export function serveCopies<Task>(
  exportSegment: (
    task: Task,
    report: (rows: number) => void,
  ) => SegmentContent | Promise<SegmentContent>,
): void {
  serveWorker<CopyCall<Task>, CopyAnswer>(() => {
    lowerPriority();
    const flag = new Int32Array((workerData as CopyWorkerData).cancel);
    const cancelled = () => {
      if (Atomics.load(flag, 0) === 1)
        throw new HostError("OPERATION_CANCELLED", "The copy was cancelled.");
    };
    return {
      handle(call, progress) {
        const report = (rows: number) => {
          cancelled();
          progress(rows);
        };
        switch (call.kind) {
          case "export":
            return exportSegment(call.task, report);
          case "digest":
            checkDigest(call.segment, cancelled);
            return undefined;
          case "rows":
            checkRows(call.segment, report, call.half);
            return undefined;
          case "chain":
            return checkChain([call.segment], call.temporaryDirectory, cancelled);
        }
      },
      close: () => {},
    };
  });
}
