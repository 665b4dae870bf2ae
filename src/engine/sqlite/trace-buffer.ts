import { HostError } from "../../errors.js";
import type { TraceBuffer, TraceBufferOptions } from "../engine.js";
import type { ReaderAnswer } from "./reader.js";
import type { TraceBufferCall, TraceBufferWorkerData } from "./trace-buffer-worker.js";
import { createStoreReads } from "./store-reads.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";

/** Opens a trace buffer: a thread with a database in memory, started when first used, since most hosts never need it. */
export function openTraceBuffer({ nowMicros, ...options }: TraceBufferOptions): TraceBuffer {
  let started: Promise<WorkerClient<TraceBufferCall, ReaderAnswer>> | undefined;
  let closed = false;
  const lost = (cause?: unknown) =>
    new HostError("INDEX_CLOSED", `${options.link} was closed.`, { cause });
  const call = async (one: TraceBufferCall) => {
    if (closed) throw lost();
    started ??= startWorker<TraceBufferCall, ReaderAnswer>(
      "engine/sqlite/trace-buffer-worker",
      options satisfies TraceBufferWorkerData,
      lost,
    );
    return (await started).call(one);
  };
  return {
    ...createStoreReads({ read: call, scan: call, nowMicros }),
    write: () =>
      Promise.reject(
        new HostError(
          "METHOD_NOT_ALLOWED",
          `Documents of ${options.link} are written by the host only.`,
          { metadata: { allow: "GET" } },
        ),
      ),
    async append(documents) {
      await call({ kind: "append", documents });
    },
    async close() {
      closed = true;
      await (await started)?.close();
    },
  };
}
