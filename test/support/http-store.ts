import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.js";

/** How a store answers GET requests; by default like RFC 9110, with a strong ETag. */
export interface StoreBehavior {
  /** Like Xenon: the end of a range is exclusive, and the status is always 200. */
  exclusiveRangeEnd?: boolean;
  /** Answers 200 with the whole file, whatever the range. */
  ignoresRange?: boolean;
  /** Each range is one byte short, with a matching Content-Range. */
  oneShort?: boolean;
  /** Content-Range states the requested range although a byte is missing. */
  liesAboutEnd?: boolean;
  noContentRange?: boolean;
  weakTag?: boolean;
  noTag?: boolean;
  /** No Content-Length: the chunked encoding marks the end. */
  chunked?: boolean;
}

export interface StoreRequest {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  /** Counts the requests of a method from 1. */
  nth: number;
}

/** Answers in place of the store and returns true, or returns false. */
export type Fault = (
  request: StoreRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
  store: HttpStore,
) => boolean;

export interface HttpStore {
  origin: string;
  port: number;
  behavior: StoreBehavior;
  fault: Fault | undefined;
  requests: StoreRequest[];
  mostAtOnce: number;
  put(name: string, bytes: Uint8Array): void;
  bytes(name: string): Buffer;
  has(name: string): boolean;
  path(name: string): string;
  tagOf(name: string): string;
  reset(): void;
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A simple store on loopback: keeps uploaded ranges in sparse files, and serves them by range. */
export async function httpStore(
  options: { tls?: ServerOptions; discard?: boolean } = {},
): Promise<HttpStore> {
  const directory = temporaryDirectory();
  const counts: Record<string, number> = {};
  let atOnce = 0;
  const path = (name: string) => join(directory, encodeURIComponent(name));
  const store: HttpStore = {
    origin: "",
    port: 0,
    behavior: {},
    fault: undefined,
    requests: [],
    mostAtOnce: 0,
    put: (name, bytes) => writeFileSync(path(name), bytes),
    bytes: (name) => readFileSync(path(name)),
    has: (name) => existsSync(path(name)),
    path,
    tagOf: (name) =>
      `"${createHash("sha1")
        .update(`${statSync(path(name)).mtimeMs} ${statSync(path(name)).size}`)
        .digest("hex")}"`,
    reset() {
      Object.assign(store, { behavior: {}, fault: undefined, requests: [], mostAtOnce: 0 });
      for (const key of Object.keys(counts)) delete counts[key];
    },
  };

  const serve = (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers, rawHeaders } = incoming;
    const nth = (counts[method] = (counts[method] ?? 0) + 1);
    const request = { method, url, headers, rawHeaders, nth };
    store.requests.push(request);
    store.mostAtOnce = Math.max(store.mostAtOnce, (atOnce += 1));
    response.on("close", () => (atOnce -= 1));
    response.on("error", () => {});
    incoming.on("error", () => {});
    if (store.fault?.(request, incoming, response, store)) return;
    const name = url.split("?", 1)[0] ?? "";
    if (method === "PUT") take(name, incoming, response);
    else if (method === "GET") give(name, incoming, response);
    else response.writeHead(405).end();
  };

  function take(name: string, incoming: IncomingMessage, response: ServerResponse): void {
    const {
      "content-length": length = "0",
      "content-range": range = `bytes 0-${Number(length) - 1}/${length}`,
    } = incoming.headers;
    const [, first = "0", last = "", total = "0"] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
    let position = Number(first);
    const file = options.discard
      ? undefined
      : openSync(path(name), existsSync(path(name)) ? "r+" : "w");
    if (file !== undefined && statSync(path(name)).size !== Number(total))
      ftruncateSync(file, Number(total));
    incoming.on("data", (chunk: Buffer) => {
      if (file !== undefined) writeSync(file, chunk, 0, chunk.length, position);
      position += chunk.length;
    });
    incoming.on("close", () => {
      if (file !== undefined) closeSync(file);
    });
    incoming.on("end", () => {
      if (
        Number(incoming.headers["content-length"]) !== Number(last) - Number(first) + 1 ||
        position !== Number(last) + 1
      )
        response.writeHead(400).end("the range and the length do not agree");
      else response.writeHead(200).end();
    });
  }

  function give(name: string, incoming: IncomingMessage, response: ServerResponse): void {
    if (!existsSync(path(name))) return void response.writeHead(404).end("no such file");
    const {
      exclusiveRangeEnd,
      ignoresRange,
      oneShort,
      liesAboutEnd,
      noContentRange,
      weakTag,
      noTag,
      chunked,
    } = store.behavior;
    const size = statSync(path(name)).size;
    const tag = store.tagOf(name);
    const common = {
      ...(!noTag && { etag: weakTag ? `W/${tag}` : tag }),
      "last-modified": statSync(path(name)).mtime.toUTCString(),
    };
    const ifRange = incoming.headers["if-range"];
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "") ?? [];
    const whole =
      from === undefined ||
      ignoresRange === true ||
      (typeof ifRange === "string" && ifRange !== tag);
    const first = whole ? 0 : Number(from);
    const asked = whole ? size - 1 : Number(to);
    let last = Math.min(size - 1, exclusiveRangeEnd && !whole ? asked - 1 : asked);
    if (first >= size && size > 0)
      return void response.writeHead(416, { "content-range": `bytes */${size}` }).end();
    const told =
      exclusiveRangeEnd || liesAboutEnd
        ? Math.min(asked, exclusiveRangeEnd ? size : size - 1)
        : undefined;
    if ((oneShort || liesAboutEnd) && !whole && last > first) last -= 1;
    const length = Math.max(0, last - first + 1);
    response.writeHead(whole || exclusiveRangeEnd ? 200 : 206, {
      ...common,
      ...(!chunked && { "content-length": length }),
      ...(!whole &&
        !noContentRange && { "content-range": `bytes ${first}-${told ?? last}/${size}` }),
    });
    if (length === 0) return void response.end();
    createReadStream(path(name), { start: first, end: last })
      .on("error", () => response.destroy())
      .pipe(response);
  }

  const server = options.tls ? createHttpsServer(options.tls, serve) : createHttpServer(serve);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  Object.assign(store, { port, origin: `${options.tls ? "https" : "http"}://127.0.0.1:${port}` });
  open.push({
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  });
  return store;
}

/** Answers some requests of a method with a status. */
export const answerWith =
  (
    method: string,
    status: number,
    when: (nth: number) => boolean = () => true,
    headers: Record<string, string> = {},
  ): Fault =>
  (request, incoming, response) => {
    if (request.method !== method || !when(request.nth)) return false;
    incoming.resume();
    response.writeHead(status, headers).end("SECRET of the store");
    return true;
  };

/** Never answers. */
export const stall =
  (method: string, when: (nth: number) => boolean): Fault =>
  (request, incoming) => {
    if (request.method !== method || !when(request.nth)) return false;
    incoming.resume();
    return true;
  };

/** Sends a part of the body of a GET, then stalls or cuts the connection. */
export const breakBody =
  (
    how: "stop" | "reset" | "lie about the length",
    bytes: number,
    when: (nth: number) => boolean,
  ): Fault =>
  (request, _incoming, response, store) => {
    if (request.method !== "GET" || !when(request.nth)) return false;
    const whole = store.bytes(request.url.split("?", 1)[0] ?? "");
    const [, from = "0", to = "0"] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const first = Number(from);
    const last = Math.min(Number(to), whole.length - 1);
    response.writeHead(206, {
      etag: store.tagOf(request.url.split("?", 1)[0] ?? ""),
      "content-range": `bytes ${first}-${last}/${whole.length}`,
      // Greater than the number of bytes sent, or less than requested.
      "content-length":
        how === "lie about the length" ? Math.min(bytes, last - first + 1) : last - first + 1,
    });
    const part = whole.subarray(first, Math.min(first + bytes, last + 1));
    if (how === "stop") response.write(part);
    // Written to the socket, since the parser of this side would reject more bytes than declared.
    else if (how === "lie about the length")
      response.write(part, () => void response.socket?.write(Buffer.alloc(10, 88)));
    else response.write(part, () => response.socket?.resetAndDestroy());
    return true;
  };

/** Cuts the connection during a PUT. */
export const resetPut =
  (when: (nth: number) => boolean): Fault =>
  (request, incoming) => {
    if (request.method !== "PUT" || !when(request.nth)) return false;
    incoming.once("data", () => incoming.socket.resetAndDestroy());
    return true;
  };
