import { join } from "node:path";
import { connect, type Socket } from "node:net";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { QueryTasks } from "../../src/xenon/query/query-tasks.js";
import { createBodyReader } from "../../src/service/documents/body-reader.js";
import { Documents } from "../../src/service/documents/documents.js";
import {
  defaultFactories,
  durableIndexLink,
  inMemoryIndexLink,
} from "../../src/service/documents/factories.js";
import { HostError } from "../../src/errors.js";
import { createAuditor } from "../../src/service/host/auditor.js";
import { createAccess } from "../../src/security/access.js";
import { identifyBy } from "../../src/security/clients.js";
import { hostNames } from "../../src/security/hosts.js";
import { openTokens } from "../../src/security/tokens.js";
import { HttpServer } from "../../src/transport/http/server.js";
import { createXenonDialect } from "../../src/xenon/dialect/dialect.js";
import { sendError } from "../../src/xenon/dialect/error-response.js";
import { createFakeControl } from "./fake-control.js";
import { FileStore } from "../../src/xenon/local-files/file-store.js";
import type { UploadPace } from "../../src/xenon/local-files/incoming.js";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import { temporaryDirectory } from "./temporary-directory.js";
import { createFakeManagement } from "./fake-management.js";
import { createFakeStore } from "./fake-store.js";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  text: string;
}

/** The Xenon dialect over a real loopback server, with fakes below it. */
export async function startDialectHost(
  options: {
    tokens?: string;
    idleMs?: number;
    platform?: Platform;
    fileRoot?: string;
    pace?: UploadPace;
  } = {},
) {
  const store = createFakeStore();
  const memoryStore = createFakeStore();
  const lineages = new Map([
    [durableIndexLink, "lineage-1"],
    [inMemoryIndexLink, "lineage-m"],
  ]);
  const kinds = { path: "/things", kind: "acme:Thing", indexLink: durableIndexLink };
  let made = 0;
  const indexOf = (link: string) => {
    if (link === durableIndexLink) return store;
    if (link === inMemoryIndexLink) return memoryStore;
    throw new HostError("INDEX_NOT_FOUND", `Index ${link} not found`, { metadata: { link } });
  };
  const readerOf = (link: string) => ({
    ...indexOf(link),
    lineage: () => lineages.get(link) ?? "",
  });
  const bodies = createBodyReader();
  const documents = new Documents({
    factories: [...defaultFactories, kinds],
    indexOf,
    readerOf,
    hostId: "host-1",
    newId: () => `made-up-${(made += 1)}`,
    readBody: bodies.read,
    compareBodies: bodies.compare,
  });
  const control = createFakeControl();
  const internal: unknown[] = [];
  const clock = { micros: 1_795_348_100_000_000 };
  const queries = new QueryTasks({
    storeOf: readerOf,
    nowMicros: () => clock.micros,
    newId: () => `query-${(made += 1)}`,
    onInternalError: (thrown) => internal.push(thrown),
  });
  const fake = createFakeManagement();
  const directory = temporaryDirectory();
  const fileStore = await FileStore.open(options.platform ?? systemPlatform, {
    directory: join(directory, "file-services"),
    roots: {
      paths: options.fileRoot === undefined ? undefined : [options.fileRoot],
      what: "file root",
    },
    closed: [join(directory, "data")],
    ...(options.pace && { pace: options.pace }),
    onBackgroundError: (thrown) => internal.push(thrown),
  });
  const tokens = options.tokens === undefined ? undefined : openTokens(options.tokens);
  const auditor = createAuditor(
    { record: () => Promise.resolve(), refused: () => undefined, close: () => Promise.resolve() },
    tokens,
  );
  const server = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    hostNames: hostNames("127.0.0.1", ["holdfast.test"]),
    handlers: [
      ...createXenonDialect({
        documents,
        queries,
        management: fake.management,
        operations: fake.operations,
        control,
        fileStore,
        idleMs: options.idleMs ?? 10_000,
        indexLinks: [durableIndexLink, inMemoryIndexLink],
        hostId: "host-1",
        startTimeMicros: 1_795_348_000_000_000,
        access: createAccess(tokens, (caller, action, error) =>
          auditor.refused(caller, { action }, error),
        ),
        identify: identifyBy(tokens),
        auditor,
      }),
    ],
    sendError,
    onInternalError: (thrown) => internal.push(thrown),
  });
  const { port } = await server.open();

  /** Sends a request; a body other than a string is sent as JSON. */
  function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string | string[]> = {},
  ): Promise<Answer> {
    const payload =
      body === undefined || typeof body === "string" || Buffer.isBuffer(body)
        ? body
        : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          headers: {
            ...(payload !== undefined && { "content-type": "application/json" }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              rawHeaders: response.rawHeaders,
              text: Buffer.concat(chunks).toString(),
            });
          });
        },
      );
      request.on("error", reject);
      request.end(payload);
    });
  }

  /** A raw connection and the text received on it. */
  function dial(): Promise<{ socket: Socket; received: () => string; closed: Promise<void> }> {
    return new Promise((resolve) => {
      let text = "";
      const socket = connect(port, "127.0.0.1", () => {
        resolve({ socket, received: () => text, closed });
      });
      socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
      socket.on("error", () => undefined);
      const closed = new Promise<void>((done) => socket.on("close", () => done()));
    });
  }

  return {
    port,
    server,
    fileStore,
    store,
    memoryStore,
    lineages,
    clock,
    documents,
    queries,
    fake,
    control,
    internal,
    call,
    dial,
  };
}

export type DialectHost = Awaited<ReturnType<typeof startDialectHost>>;
