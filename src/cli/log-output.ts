import { writeSync } from "node:fs";
import { errnoOf } from "../io/file-system.js";
import { limits } from "../limits.js";

/** Where a log goes: takes whole lines, and never throws. */
export interface LogOutput {
  write(line: string): void;
}

/**
 * Writes lines to a descriptor before the call returns. A line that cannot be written (the disk is full, the reader is gone) is
 * dropped and counted: the host outlives its log. `lost` makes the line that says how many, which comes before the next line
 * that can be written.
 */
export function logOutput(
  descriptor: number,
  lost: (lines: number) => string,
  write: typeof writeSync = writeSync,
): LogOutput {
  /** Behind a line of which a part was written. */
  let rest: Buffer = Buffer.alloc(0);
  let dropped = 0;

  /** Writes as much as goes; true when nothing is left. A full pipe is waited for shortly, unless it was full the last time too. */
  function flush(): boolean {
    const until = performance.now() + (dropped > 0 ? 0 : limits.logWaitMs);
    while (rest.length > 0) {
      try {
        rest = rest.subarray((write as (fd: number, data: Uint8Array) => number)(descriptor, rest));
      } catch (error) {
        if (errnoOf(error) !== "EAGAIN" || performance.now() >= until) return false;
        Atomics.wait(pause, 0, 0, 1);
      }
    }
    return true;
  }

  return {
    write(line) {
      const isFree = flush();
      if (isFree) {
        const before = Buffer.from((dropped > 0 ? lost(dropped) : "") + line);
        rest = before;
        if (flush()) dropped = 0;
        else if (rest.length === before.length) {
          // Nothing of it was written: it goes as a whole.
          rest = Buffer.alloc(0);
          dropped += 1;
        }
      } else {
        dropped += 1;
      }
    },
  };
}

const pause = new Int32Array(new SharedArrayBuffer(4));
