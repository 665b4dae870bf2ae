import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { workerData } from "node:worker_threads";
import { HostError } from "../../errors.js";
import type { ChainContent, SegmentContent, SegmentSource } from "../engine.js";
import { checkChain } from "../../segment/chain-check.js";
import { exportSegment, type ExportTask } from "./export.js";
import { checkDigest, checkRows, type Half } from "../../segment/segment-file.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
import { serveWorker } from "../../io/worker-loop.js";

export type CopyCall =
  | { kind: "export"; task: ExportTask }
  | { kind: "chain"; segment: SegmentSource }
  | {
      kind: "read-back";
      segment: SegmentSource;
      /** Default: the whole segment. The second half leaves the digest to the first. */ half?: Half;
    };
export type CopyAnswer = SegmentContent | ChainContent | undefined;
export interface CopyWorkerData {
  /** One 32-bit word; 1 cancels the current call. */
  cancel: SharedArrayBuffer;
}

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

serveWorker<CopyCall, CopyAnswer>(() => {
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
      if (call.kind === "export") {
        try {
          return exportSegment(call.task, report);
        } catch (thrown) {
          const error = fromSqlite(thrown, `Copying the index into ${call.task.path}`);
          throw error.reason === "STORAGE_FULL"
            ? new HostError(
                "DESTINATION_FULL",
                `No space is left for the segment ${call.task.path}. Free space and back up again.`,
                { cause: thrown },
              )
            : error;
        }
      }
      if (call.kind === "chain") return checkChain([call.segment], cancelled);
      if (call.half !== "second") checkDigest(call.segment, cancelled);
      checkRows(call.segment, report, call.half);
      return undefined;
    },
    close: () => {},
  };
});
