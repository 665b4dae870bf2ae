import { Agent, request as httpRequest } from "node:http";
import { featureFactory, type Body } from "./corpus.js";
import { ownFields } from "./compare.js";

/** A response of the host. */
export interface Response {
  status: number;
  text: string;
}

/** An HTTP client with persistent connections. */
export interface Client {
  send(method: string, path: string, body?: unknown): Promise<Response>;
  /** Sends a request and returns the parsed body. Throws unless the status is 200. */
  request(method: string, path: string, body?: unknown): Promise<Body>;
  close(): void;
}

/** Number of concurrent requests. */
export const connections = 32;

/** Opens a client for a host. */
export function openClient({ host, port }: { host: string; port: number }): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections * 2 });
  const send = (method: string, path: string, body?: unknown) =>
    new Promise<Response>((resolve, reject) => {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers =
        payload === undefined
          ? {}
          : { "content-type": "application/json", "content-length": payload.length };
      const request = httpRequest(
        { host, port, method, path: encodeURI(path), agent, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              text: Buffer.concat(chunks).toString("utf8"),
            }),
          );
          response.on("error", reject);
        },
      );
      request.on("error", reject);
      request.end(payload);
    });
  return {
    send,
    async request(method, path, body) {
      const { status, text } = await send(method, path, body);
      if (status !== 200)
        throw new Error(`${method} ${path} returned ${status}: ${text.slice(0, 500)}`);
      return text === "" ? {} : (JSON.parse(text) as Body);
    },
    close: () => agent.destroy(),
  };
}

/** Processes all items, `connections` of them at a time. */
export async function forEach<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

/** Returns all documents of a factory without the fields that the host maintains, by link. */
export async function readAll(
  client: Client,
  factory = featureFactory,
): Promise<Map<string, Body>> {
  const listing = await client.request("GET", `${factory}?expand`);
  const documents = listing["documents"] as Record<string, Body>;
  return new Map(Object.entries(documents).map(([link, document]) => [link, ownFields(document)]));
}

const kindOf = (request: string) =>
  `com:vmware:xenon:services:common:ServiceHostManagementService:${request}`;

/** Backs up the durable index to a path and waits until the backup is complete. */
export function backUp(
  client: Client,
  path: string,
  backupType: "ZIP" | "DIRECTORY",
): Promise<Body> {
  return client.request("PATCH", "/core/management", {
    kind: kindOf("BackupRequest"),
    destination: `file:${path}`,
    backupType,
  });
}

/** Restores a backup, optionally to a point in time in microseconds since 1970. */
export function restore(
  client: Client,
  path: string,
  timeSnapshotBoundaryMicros?: number,
): Promise<Body> {
  return client.request("PATCH", "/core/management", {
    kind: kindOf("RestoreRequest"),
    destination: `file:${path}`,
    ...(timeSnapshotBoundaryMicros !== undefined && { timeSnapshotBoundaryMicros }),
  });
}
