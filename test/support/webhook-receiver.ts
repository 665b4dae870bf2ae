import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeRemoval } from "./temporary-directory.js";

/** A request that a WebhookReceiver got. */
export interface ReceivedRequest {
  method: string;
  /** Path and query. */
  target: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A web server that records requests. */
export interface WebhookReceiver {
  /** http://127.0.0.1:PORT */
  origin: string;
  port: number;
  requests: ReceivedRequest[];
  /** Requests that have no response yet, now and at most. */
  inFlight: { now: number; most: number };
  /** Responds to a request. Default: 204. */
  respond(request: ReceivedRequest, response: ServerResponse): void;
}

/** Starts a receiver, which stops after the tests of the file. */
export async function startReceiver(): Promise<WebhookReceiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    receiver.inFlight.now += 1;
    receiver.inFlight.most = Math.max(receiver.inFlight.most, receiver.inFlight.now);
    response.on("close", () => (receiver.inFlight.now -= 1));
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const received = {
        method: request.method ?? "",
        target: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      receiver.requests.push(received);
      receiver.respond(received, response);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  beforeRemoval(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  const { port } = server.address() as AddressInfo;
  const receiver: WebhookReceiver = {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests: [],
    inFlight: { now: 0, most: 0 },
    respond: (_request, response) => void response.writeHead(204).end(),
  };
  return receiver;
}
