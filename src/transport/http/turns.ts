import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../../limits.js";

/**
 * Requests that a client sends on one connection ahead of their answers are worked on one after the other: a GET
 * behind a POST sees what was posted.
 */
export interface Turns {
  /** Runs the work when it is this response's turn; a response is done when it is closed. */
  take(socket: Duplex, response: ServerResponse | undefined, work: () => void): void;
}

interface Line {
  waiting: { response: ServerResponse | undefined; work: () => void }[];
}

export function createTurns(): Turns {
  const lines = new WeakMap<Duplex, Line>();

  function begin(socket: Duplex, response: ServerResponse | undefined, work: () => void): void {
    response?.once("close", () => next(socket));
    work();
  }

  function next(socket: Duplex): void {
    const line = lines.get(socket);
    if (line === undefined) return;
    const first = socket.destroyed ? undefined : line.waiting.shift();
    if (first === undefined) lines.delete(socket);
    else begin(socket, first.response, first.work);
  }

  return {
    take(socket, response, work) {
      const line = lines.get(socket);
      if (line === undefined) {
        if (response !== undefined) lines.set(socket, { waiting: [] });
        begin(socket, response, work);
      } else if (line.waiting.length < limits.pipelinedRequests) {
        line.waiting.push({ response, work });
      } else {
        socket.destroy();
      }
    },
  };
}
