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

interface Turn {
  response: ServerResponse | undefined;
  work: () => void;
}

/** Kept on the socket itself: a table beside it costs every request more than the rest of this file. */
const waiting = Symbol("requests that wait for their turn");
type Queued = Duplex & { [waiting]?: Turn[] | undefined };

export const turns: Turns = {
  take(socket: Queued, response, work) {
    const line = socket[waiting];
    if (line === undefined) {
      if (response !== undefined) socket[waiting] = [];
      begin(socket, response, work);
    } else if (line.length < limits.pipelinedRequests) {
      line.push({ response, work });
    } else {
      socket.destroy();
    }
  },
};

function begin(socket: Queued, response: ServerResponse | undefined, work: () => void): void {
  response?.on("close", () => next(socket));
  work();
}

function next(socket: Queued): void {
  const first = socket.destroyed ? undefined : socket[waiting]?.shift();
  if (first === undefined) socket[waiting] = undefined;
  else begin(socket, first.response, first.work);
}
