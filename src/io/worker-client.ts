import { Worker, type ResourceLimits } from "node:worker_threads";
import { HostError, type HostErrorRecord } from "../errors.js";
import { entryPath, type EntryName } from "./entry.js";

/** A request to a worker thread. */
export interface WorkerRequest<Q> {
  id: number;
  request: Q;
}
/** A message from a worker thread: any number of progress messages, then a result or an error. */
export type WorkerReply<R> =
  | { id: number; result: R }
  | { id: number; error: HostErrorRecord }
  | { id: number; progress: number };

/** Calls to a worker thread, which it handles in order. */
export interface WorkerClient<Q, R> {
  /** Calls the thread. `onProgress` receives the values that the thread reports. */
  call(request: Q, onProgress?: (count: number) => void): Promise<R>;
  /** Stops the thread after its pending calls. */
  close(): Promise<void>;
  /** Stops the thread immediately. Pending calls fail. */
  terminate(): Promise<void>;
}

interface Pending<R> {
  resolve: (result: R) => void;
  reject: (error: HostError) => void;
  onProgress?: (count: number) => void;
}

/**
 * Starts a thread. `lost` creates the error of calls that are pending when the thread ends. Rejects
 * if the thread cannot start.
 */
export async function startWorker<Q, R>(
  entry: EntryName,
  workerData: unknown,
  lost: (cause?: unknown) => HostError,
  resourceLimits: ResourceLimits = {},
): Promise<WorkerClient<Q, R>> {
  const worker = new Worker(entryPath(entry), { workerData, resourceLimits });
  const pending = new Map<number, Pending<R>>();
  let nextId = 1;
  let ended: HostError | undefined;
  const fail = (cause?: unknown) => {
    ended ??= lost(cause);
    for (const call of pending.values()) call.reject(ended);
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
      if (ended) return Promise.reject(ended);
      return new Promise<R>((resolve, reject) => {
        const id = nextId++;
        pending.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
        worker.postMessage({ id, request } satisfies WorkerRequest<Q>);
      });
    },
    async close() {
      if (!ended) worker.postMessage({ id: 0, request: null });
      await exited;
    },
    async terminate() {
      await worker.terminate();
      await exited;
    },
  };
  // The thread sends a reply with ID 0 when it has started or failed to start.
  await new Promise<R>((resolve, reject) => {
    pending.set(0, { resolve, reject });
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  return client;
}
