import { once } from "node:events";
import {
  Agent,
  createServer,
  request as sendRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { beforeRemoval } from "./temporary-directory.js";

/** What a key names, by the last part of it. */
export type S3Thing =
  "manifest" | "signature" | "segment" | "lease" | "note" | "check" | "archive" | "other";

/** A request as the proxy sees it. */
export interface S3ProxyRequest {
  /**
   * Method and thing, for example `PUT manifest`, `LIST` or `COMPLETE segment`. Requests of a multipart
   * upload are CREATE, PART, COMPLETE, ABORT and UPLOADS; those about locks are RETAIN and LOCKS.
   */
  kind: string;
  method: string;
  /** Without the bucket. */
  key: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Counts the requests of this kind from 1. */
  nth: number;
}

/** What the proxy does instead of forwarding a request and its response. */
export type S3Answer =
  /** Closes the connection before the store sees the request, or after it has executed it. */
  | { cut: "before" | "after"; then?: () => void }
  /** Responds with an error of S3 and does not forward the request. */
  | { status: number; code?: string; headers?: Record<string, string>; text?: string }
  /** Sends the first bytes of the body: then the connection ends, or the response seems complete. */
  | { truncate: number; how: "cut" | "shorter" | "stop" }
  /** Sends the body of the store, then further bytes without end. */
  | { endless: true; status?: number }
  /** Accepts the request and never responds. */
  | { stall: "before" | "after" }
  /** Leaves out keys of a listing, as an eventually consistent store does with new objects. */
  | { hide: RegExp }
  /** Forwards when the promise resolves. */
  | { hold: Promise<unknown> };

/** Returns what happens to a request, or undefined to forward it. */
export type S3Fault = (request: S3ProxyRequest) => S3Answer | undefined;

/** A proxy on loopback in front of a store. Signatures stay valid, because it keeps the Host header. */
export interface S3Proxy {
  /** URI of the bucket through the proxy. */
  uri: string;
  port: number;
  fault: S3Fault | undefined;
  /** Requests since the last reset. */
  requests: S3ProxyRequest[];
  /** Number of requests to which the fault applied since the last reset. */
  faults: number;
  /** Greatest number of requests at the same time by kind since the last reset. */
  mostAtOnce: Record<string, number>;
  /** Number of requests by kind since the last reset. */
  counts(): Record<string, number>;
  /** Forgets requests and the fault, and ends what stands still. */
  reset(): void;
  /** Forwards later requests to another port. */
  leadTo(port: number): void;
}

/** Text in the responses of errors that must not reach users. */
export const foreignText = "SECRET text of the store";

/** Starts a proxy in front of a store, which ends after the tests of the file. */
export async function s3Proxy(store: { port: number; bucket: string }): Promise<S3Proxy> {
  const agent = new Agent({ keepAlive: true });
  const counts = new Map<string, number>();
  const atOnce = new Map<string, number>();
  const stopped: ServerResponse[] = [];
  let target = store.port;

  const forward = (incoming: IncomingMessage): Promise<Forwarded> =>
    new Promise((resolve, reject) => {
      const outgoing = sendRequest(
        {
          agent,
          host: "127.0.0.1",
          port: target,
          method: incoming.method,
          path: incoming.url,
          // As received, with the Host header that is part of the signature.
          headers: incoming.rawHeaders,
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () =>
            resolve({
              status: answer.statusCode ?? 500,
              headers: answer.rawHeaders,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      outgoing.on("error", reject);
      incoming.on("error", () => outgoing.destroy());
      incoming.pipe(outgoing);
    });

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = describe(incoming, store.bucket);
    request.nth = (counts.get(request.kind) ?? 0) + 1;
    counts.set(request.kind, request.nth);
    proxy.requests.push(request);
    const { kind } = request;
    atOnce.set(kind, (atOnce.get(kind) ?? 0) + 1);
    response.on("close", () => atOnce.set(kind, (atOnce.get(kind) ?? 0) - 1));
    proxy.mostAtOnce[kind] = Math.max(proxy.mostAtOnce[kind] ?? 0, atOnce.get(kind) ?? 0);
    const answer = proxy.fault?.(request);
    if (answer) proxy.faults += 1;
    if (answer && "cut" in answer && answer.cut === "before") {
      incoming.socket.destroy();
      return;
    }
    if (answer && "status" in answer && !("endless" in answer))
      return refuse(incoming, response, answer);
    if (answer && "stall" in answer && answer.stall === "before") {
      incoming.resume();
      stopped.push(response);
      return;
    }
    if (answer && "hold" in answer) await answer.hold;
    const forwarded = await forward(incoming);
    if (answer === undefined || "hold" in answer)
      return send(response, request, forwarded, forwarded.body);
    if ("cut" in answer) {
      answer.then?.();
      return void incoming.socket.destroy();
    }
    if ("stall" in answer) return void stopped.push(response);
    if ("hide" in answer)
      return send(response, request, forwarded, withoutKeys(forwarded.body, answer.hide));
    if ("endless" in answer) return sendWithoutEnd(response, forwarded, answer.status);
    if (!("truncate" in answer)) return;
    const part = forwarded.body.subarray(0, answer.truncate);
    if (answer.how === "shorter") return send(response, request, forwarded, part);
    response.writeHead(forwarded.status, forwarded.headers);
    response.flushHeaders();
    response.write(part, () => {
      if (answer.how === "cut") response.socket?.resetAndDestroy();
      else stopped.push(response);
    });
  };

  const server = createServer((incoming, response) => {
    response.on("error", () => {});
    incoming.on("error", () => {});
    serve(incoming, response).catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy: S3Proxy = {
    uri: `s3+http://127.0.0.1:${port}/${store.bucket}`,
    port,
    fault: undefined,
    requests: [],
    faults: 0,
    mostAtOnce: {},
    counts: () => Object.fromEntries(counts),
    reset() {
      Object.assign(proxy, { fault: undefined, requests: [], faults: 0, mostAtOnce: {} });
      counts.clear();
      for (const response of stopped.splice(0)) response.destroy();
    },
    leadTo: (next) => void (target = next),
  };
  beforeRemoval(async () => {
    proxy.reset();
    agent.destroy();
    server.close();
    server.closeAllConnections();
  });
  return proxy;
}

interface Forwarded {
  status: number;
  headers: string[];
  body: Buffer;
}

function describe(incoming: IncomingMessage, bucket: string): S3ProxyRequest {
  const { method = "", headers } = incoming;
  const { pathname, searchParams: query } = new URL(incoming.url ?? "", "http://store");
  const key = decodeURIComponent(pathname.slice(`/${bucket}`.length)).replace(/^\//, "");
  return { kind: kindOf(method, key, query), method, key, query, headers, nth: 0 };
}

function kindOf(method: string, key: string, query: URLSearchParams): string {
  const thing = thingOf(key);
  if (key === "")
    return query.has("uploads") ? "UPLOADS" : query.has("object-lock") ? "LOCKS" : "LIST";
  if (query.has("uploads")) return `CREATE ${thing}`;
  if (query.has("retention")) return `RETAIN ${thing}`;
  if (query.has("partNumber")) return `PART ${thing}`;
  if (query.has("uploadId")) return `${method === "DELETE" ? "ABORT" : "COMPLETE"} ${thing}`;
  return `${method} ${thing}`;
}

function thingOf(key: string): S3Thing {
  const name = key.split("/").at(-1) ?? "";
  if (/lease$/.test(name)) return "lease";
  if (/^\.holdfast-check/.test(name)) return "check";
  if (/^\.holdfast-pending/.test(name)) return "note";
  if (/^manifest-.*\.sig$/.test(name)) return "signature";
  if (/^manifest-/.test(name)) return "manifest";
  if (/^(base|delta)-/.test(name)) return "segment";
  return name.endsWith(".zip") ? "archive" : "other";
}

function refuse(
  incoming: IncomingMessage,
  response: ServerResponse,
  {
    status,
    code,
    headers,
    text = foreignText,
  }: Extract<S3Answer, { status: number; code?: string }>,
): void {
  incoming.resume();
  const body =
    code === undefined || incoming.method === "HEAD"
      ? ""
      : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${text}</Message></Error>`;
  response
    .writeHead(status, {
      "content-type": "application/xml",
      "content-length": Buffer.byteLength(body),
      ...headers,
    })
    .end(body);
}

/** Sends a response whose length is that of `body`. The response to HEAD keeps the length of the object. */
function send(
  response: ServerResponse,
  { method }: S3ProxyRequest,
  { status, headers }: Forwarded,
  body: Buffer,
): void {
  const kept = headers.flatMap((name, i) => {
    if (i % 2 === 1) return [];
    const isFraming = /^(content-length|transfer-encoding|connection|keep-alive)$/i.test(name);
    return isFraming && method !== "HEAD" ? [] : [name, headers[i + 1] ?? ""];
  });
  const length = method === "HEAD" || status === 204 ? [] : ["content-length", String(body.length)];
  response.writeHead(status, [...kept, ...length]).end(body);
}

function withoutKeys(listing: Buffer, hidden: RegExp): Buffer {
  const shown = listing
    .toString("utf8")
    .replace(/<Contents>.*?<\/Contents>/gs, (entry) =>
      hidden.test(/<Key>(.*?)<\/Key>/s.exec(entry)?.[1] ?? "") ? "" : entry,
    );
  return Buffer.from(shown);
}

function sendWithoutEnd(
  response: ServerResponse,
  { headers, body }: Forwarded,
  status = 200,
): void {
  const kept = headers.flatMap((name, i) =>
    i % 2 === 1 || /^(content-length|transfer-encoding)$/i.test(name)
      ? []
      : [name, headers[i + 1] ?? ""],
  );
  response.writeHead(status, kept);
  response.write(body);
  const more = Buffer.alloc(65_536, " ");
  const pour = () => {
    while (!response.destroyed && response.write(more));
  };
  response.on("drain", pour);
  response.on("close", () => response.off("drain", pour));
  pour();
}
