import { HostError } from "../../errors.js";
import type { EntryName } from "../../io/entry.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import { limits } from "../../limits.js";
import type { Half } from "../../segment/check-rows.js";
import type { ChainContent, SegmentContent, SegmentSource } from "../engine.js";

/** What a copier does: exports a range of the log into a segment, or verifies a segment. */
export type CopyCall<Task> =
  | { kind: "export"; task: Task }
  | { kind: "digest"; segment: SegmentSource }
  | { kind: "chain"; segment: SegmentSource; temporaryDirectory: string }
  /** Default: all rows. */
  | { kind: "rows"; segment: SegmentSource; half?: Half };
export type CopyAnswer = SegmentContent | ChainContent | undefined;

/** What the thread of a copier is started with. */
export interface CopyWorkerData {
  /** One 32-bit word; 1 cancels the current call. */
  cancel: SharedArrayBuffer;
}

/** A thread that exports and verifies segments: started when first used, one call at a time. */
export interface Copier<Task> {
  call(
    call: CopyCall<Task>,
    signal: AbortSignal,
    onProgress?: (rows: number) => void,
  ): Promise<CopyAnswer>;
  close(): Promise<void>;
}

/** `entry` is the program of the thread. */
export function createCopier<Task>(entry: EntryName): Copier<Task> {
  const cancel = new SharedArrayBuffer(4);
  const flag = new Int32Array(cancel);
  let started: Promise<WorkerClient<CopyCall<Task>, CopyAnswer>> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  const worker = () => {
    started ??= startWorker<CopyCall<Task>, CopyAnswer>(
      entry,
      { cancel } satisfies CopyWorkerData,
      () => {
        started = undefined;
        return new HostError(
          "INTERNAL",
          "The thread that copies the index ended unexpectedly. Start the backup again.",
        );
      },
      { maxYoungGenerationSizeMb: limits.checkYoungGenerationMiB },
    );
    return started;
  };

  async function run(
    call: CopyCall<Task>,
    signal: AbortSignal,
    onProgress?: (rows: number) => void,
  ): Promise<CopyAnswer> {
    if (closed) throw new HostError("INDEX_CLOSED", "The index was closed.");
    if (signal.aborted) throw HostError.from(signal.reason);
    Atomics.store(flag, 0, 0);
    const abort = () => Atomics.store(flag, 0, 1);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await (await worker()).call(call, onProgress);
    } catch (error) {
      throw signal.aborted ? HostError.from(signal.reason) : error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  return {
    call(call, signal, onProgress) {
      const answer = queue.then(() => run(call, signal, onProgress));
      queue = answer.catch(() => {});
      return answer;
    },
    async close() {
      closed = true;
      Atomics.store(flag, 0, 1);
      await queue;
      if (started) await (await started).close();
    },
  };
}
