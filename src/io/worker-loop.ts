import { parentPort } from "node:worker_threads";
import { HostError } from "../errors.js";
import { fromFileError } from "./file-error.js";
import type { WorkerReply, WorkerRequest } from "./worker-client.js";

/**
 * Serves the calls of startWorker in a worker thread, one after the other, until the client closes it.
 * `progress` sends a value to the `onProgress` of a call.
 */
export function serveWorker<Q, R>(
  open: () => { handle(request: Q, progress: (count: number) => void): R; close(): void },
): void {
  const port = parentPort;
  if (!port) throw new HostError("INTERNAL", "This program can only run as a worker thread.");
  const reply = (message: WorkerReply<R | undefined>) => port.postMessage(message);
  let service: ReturnType<typeof open>;
  try {
    service = open();
  } catch (thrown) {
    reply({
      id: 0,
      error: HostError.from(fromFileError(thrown, "Starting a worker thread")).toRecord(),
    });
    port.close();
    return;
  }
  port.on("message", ({ id, request }: WorkerRequest<Q | null>) => {
    if (request === null) {
      service.close();
      port.close();
      return;
    }
    try {
      reply({ id, result: service.handle(request, (progress) => reply({ id, progress })) });
    } catch (thrown) {
      reply({
        id,
        error: HostError.from(fromFileError(thrown, "A worker thread")).toRecord(),
      });
    }
  });
  reply({ id: 0, result: undefined });
}
