import { Worker, type ResourceLimits } from "node:worker_threads";
import { HostError, type HostErrorRecord } from "../errors.js";
import { entryPath, type EntryName } from "./entry.js";

/** What goes to a worker and what comes back. `progress` may come any number of times before the answer. */
export interface WorkerRequest<Q> {
  id: number;
  request: Q;
}
export type WorkerReply<R> =
  | { id: number; result: R }
  | { id: number; error: HostErrorRecord }
  | { id: number; progress: number };

/** Calls into one worker thread; answers come in the order of the calls or not at all. */
export interface WorkerClient<Q, R> {
  call(request: Q, onProgress?: (count: number) => void): Promise<R>;
  /** Stops the thread when the calls under way have been answered. */
  close(): Promise<void>;
  /** Stops the thread at once; the calls under way fail. */
  terminate(): Promise<void>;
}

interface Pending<R> {
  resolve: (result: R) => void;
  reject: (error: HostError) => void;
  onProgress?: (count: number) => void;
}

/** Starts a thread; `lost` makes the error of calls that the thread did not live to answer. */
export async function startWorker<Q, R>(
  entry: EntryName,
  workerData: unknown,
  lost: (cause?: unknown) => HostError,
  resourceLimits: ResourceLimits = {},
): Promise<WorkerClient<Q, R>> {
  const worker = new Worker(entryPath(entry), { workerData, resourceLimits });
  const pending = new Map<number, Pending<R>>();
  let nextId = 1;
  let gone: HostError | undefined;
  const fail = (cause?: unknown) => {
    gone ??= lost(cause);
    for (const call of pending.values()) call.reject(gone);
    pending.clear();
  };
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      fail();
      resolve();
    });
  });
  worker.on("error", fail);
  worker.on("message", (reply: WorkerReply<R>) => {
    const call = pending.get(reply.id);
    if (!call) return;
    if ("progress" in reply) return call.onProgress?.(reply.progress);
    pending.delete(reply.id);
    if ("error" in reply) call.reject(HostError.fromRecord(reply.error));
    else call.resolve(reply.result);
  });
  const client: WorkerClient<Q, R> = {
    call(request, onProgress) {
      if (gone) return Promise.reject(gone);
      return new Promise<R>((resolve, reject) => {
        const id = nextId++;
        pending.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
        worker.postMessage({ id, request } satisfies WorkerRequest<Q>);
      });
    },
    async close() {
      if (!gone) worker.postMessage({ id: 0, request: null });
      await exited;
    },
    async terminate() {
      await worker.terminate();
      await exited;
    },
  };
  // Id 0 opens: the worker answers it when its database is open, or says why it cannot be.
  await new Promise<R>((resolve, reject) => {
    pending.set(0, { resolve, reject });
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  return client;
}
