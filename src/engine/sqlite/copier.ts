import { HostError } from "../../errors.js";
import type { CopyAnswer, CopyCall, CopyWorkerData } from "./copy-worker.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";

/** A thread that exports and verifies segments: started when first used, one call at a time. */
export interface Copier {
  call(
    call: CopyCall,
    signal: AbortSignal,
    onProgress?: (rows: number) => void,
  ): Promise<CopyAnswer>;
  close(): Promise<void>;
}

export function createCopier(): Copier {
  const cancel = new SharedArrayBuffer(4);
  const flag = new Int32Array(cancel);
  let started: Promise<WorkerClient<CopyCall, CopyAnswer>> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  const worker = () => {
    started ??= startWorker<CopyCall, CopyAnswer>(
      "engine/sqlite/copy-worker",
      { cancel } satisfies CopyWorkerData,
      () => {
        started = undefined;
        return new HostError(
          "INTERNAL",
          "The thread that copies the index ended unexpectedly. Start the backup again.",
        );
      },
    );
    return started;
  };

  async function run(
    call: CopyCall,
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
