import { Agent, request as httpRequest } from "node:http";
import { featureFactory, type Body } from "./corpus.js";
import { ownFields } from "./compare.js";

export interface Answer {
  status: number;
  text: string;
}

/** A plain HTTP client over kept connections, as any program has one; it knows nothing of the host but its address. */
export interface Client {
  send(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Sends and expects 200; answers the parsed body. */
  ask(method: string, path: string, body?: unknown): Promise<Body>;
  close(): void;
}

/** As many requests at once as this: what a busy service would send. */
export const connections = 32;

export function openClient({ host, port }: { host: string; port: number }): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections * 2 });
  const send = (method: string, path: string, body?: unknown) =>
    new Promise<Answer>((resolve, reject) => {
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
    async ask(method, path, body) {
      const { status, text } = await send(method, path, body);
      if (status !== 200)
        throw new Error(`${method} ${path} was answered ${status}: ${text.slice(0, 500)}`);
      return text === "" ? {} : (JSON.parse(text) as Body);
    },
    close: () => agent.destroy(),
  };
}

/** Works on all items, `connections` of them at a time. */
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

/** Every document of a factory, without the fields that the host keeps of it. */
export async function readAll(
  client: Client,
  factory = featureFactory,
): Promise<Map<string, Body>> {
  const listing = await client.ask("GET", `${factory}?expand`);
  const documents = listing["documents"] as Record<string, Body>;
  return new Map(Object.entries(documents).map(([link, document]) => [link, ownFields(document)]));
}

const kindOf = (request: string) =>
  `com:vmware:xenon:services:common:ServiceHostManagementService:${request}`;

export function backUp(
  client: Client,
  path: string,
  backupType: "ZIP" | "DIRECTORY",
): Promise<Body> {
  return client.ask("PATCH", "/core/management", {
    kind: kindOf("BackupRequest"),
    destination: `file:${path}`,
    backupType,
  });
}

export function restore(
  client: Client,
  path: string,
  timeSnapshotBoundaryMicros?: number,
): Promise<Body> {
  return client.ask("PATCH", "/core/management", {
    kind: kindOf("RestoreRequest"),
    destination: `file:${path}`,
    ...(timeSnapshotBoundaryMicros !== undefined && { timeSnapshotBoundaryMicros }),
  });
}
