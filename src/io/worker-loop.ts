import { parentPort } from "node:worker_threads";
import { HostError } from "../errors.js";
import { fromFileError } from "./file-error.js";
import type { WorkerReply, WorkerRequest } from "./worker-client.js";

/**
 * Serves the calls of startWorker in a worker thread, one after the other, until the client closes it.
 * `progress` sends a value to the `onProgress` of a call.
 */
export function serveWorker<Q, R>(
  open: () => {
    handle(request: Q, progress: (count: number) => void): R | Promise<R>;
    close(): void | Promise<void>;
  },
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
  const refuse = (id: number, thrown: unknown) =>
    reply({ id, error: HostError.from(fromFileError(thrown, "A worker thread")).toRecord() });
  /** The call under way, if it takes longer than this turn of the event loop. */
  let running: Promise<void> | undefined;
  const serve = ({ id, request }: WorkerRequest<Q | null>): void | Promise<void> => {
    if (request === null) {
      const closed = service.close();
      if (closed instanceof Promise) return closed.finally(() => port.close());
      port.close();
      return;
    }
    try {
      const answer = service.handle(request, (progress) => reply({ id, progress }));
      if (answer instanceof Promise)
        return answer.then(
          (result) => reply({ id, result }),
          (thrown: unknown) => refuse(id, thrown),
        );
      reply({ id, result: answer });
    } catch (thrown) {
      refuse(id, thrown);
    }
  };
  port.on("message", (message: WorkerRequest<Q | null>) => {
    if (running === undefined) {
      const answered = serve(message);
      if (answered instanceof Promise) start(answered);
    } else start(running.then(() => serve(message)));
  });
  function start(work: Promise<void>): void {
    const done = work.finally(() => {
      if (running === done) running = undefined;
    });
    running = done;
  }
  reply({ id: 0, result: undefined });
}
