import { writeSync } from "node:fs";
import { errnoOf } from "../io/file-system.js";
import { limits } from "../limits.js";

/** Destination of a log. */
export interface LogOutput {
  /** Writes one whole line, including its newline. Never throws. */
  write(line: string): void;
}

/**
 * Returns an output that writes lines to a file descriptor synchronously. Drops and counts lines
 * that cannot be written (disk full, reader gone), so that a failing log does not stop the host.
 * Before the next line that can be written it writes `droppedNotice(lines)`.
 */
export function logOutput(
  descriptor: number,
  droppedNotice: (lines: number) => string,
  write: typeof writeSync = writeSync,
): LogOutput {
  /** What remains of a line that was partly written. */
  let pending: Buffer = Buffer.alloc(0);
  let dropped = 0;

  /**
   * Writes `pending` and returns whether all of it was written. Waits up to limits.logWaitMs for a
   * full pipe, but not if lines were dropped before: a reader that has stalled must not slow down
   * every line.
   */
  function flush(): boolean {
    const until = performance.now() + (dropped > 0 ? 0 : limits.logWaitMs);
    while (pending.length > 0) {
      try {
        pending = pending.subarray(
          (write as (fd: number, data: Uint8Array) => number)(descriptor, pending),
        );
      } catch (error) {
        if (errnoOf(error) !== "EAGAIN" || performance.now() >= until) return false;
        Atomics.wait(sleeper, 0, 0, 1);
      }
    }
    return true;
  }

  return {
    write(line) {
      const isFlushed = flush();
      if (isFlushed) {
        const data = Buffer.from((dropped > 0 ? droppedNotice(dropped) : "") + line);
        pending = data;
        if (flush()) dropped = 0;
        else if (pending.length === data.length) {
          // Not a single byte was written, so the line can be dropped without leaving a fragment.
          pending = Buffer.alloc(0);
          dropped += 1;
        }
      } else {
        dropped += 1;
      }
    },
  };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
