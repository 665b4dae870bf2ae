import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../../limits.js";

/**
 * Serializes pipelined requests of a connection, so that a GET after a POST sees the effect of the
 * POST.
 */
export interface RequestQueue {
  /**
   * Runs the work after the earlier responses of the connection were closed. Closes the connection
   * if more than limits.pipelinedRequests wait.
   */
  enqueue(socket: Duplex, response: ServerResponse | undefined, work: () => void): void;
}

interface QueuedRequest {
  response: ServerResponse | undefined;
  work: () => void;
}

/** Stored on the socket itself, which is cheaper than a map. */
const waiting = Symbol("queued requests");
type QueueingSocket = Duplex & { [waiting]?: QueuedRequest[] | undefined };

/** The queue of all connections. */
export const requestQueue: RequestQueue = {
  enqueue(socket: QueueingSocket, response, work) {
    const queue = socket[waiting];
    if (queue === undefined) {
      if (response !== undefined) socket[waiting] = [];
      begin(socket, response, work);
    } else if (queue.length < limits.pipelinedRequests) {
      queue.push({ response, work });
    } else {
      socket.destroy();
    }
  },
};

function begin(
  socket: QueueingSocket,
  response: ServerResponse | undefined,
  work: () => void,
): void {
  response?.on("close", () => next(socket));
  work();
}

function next(socket: QueueingSocket): void {
  const first = socket.destroyed ? undefined : socket[waiting]?.shift();
  if (first === undefined) socket[waiting] = undefined;
  else begin(socket, first.response, first.work);
}
