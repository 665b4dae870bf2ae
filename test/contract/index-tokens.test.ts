import { createClient, ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { createHost, type Host } from "../../src/host/start.js";
import { hostServices } from "../../src/api/host-services.js";
import { indexScopedMethods } from "../../src/api/policy/method-indexes.js";
import { beforeRemoval, temporaryDirectory } from "../support/temporary-directory.js";

const root = temporaryDirectory();
const destination = pathToFileURL(join(root, "backups")).href;
const memory = "/core/in-memory-document-index";
const durable = "/core/document-index";
/** All roles that a token for one index may have. */
const own = { headers: { authorization: "Bearer memory-only" } };
const admin = { headers: { authorization: "Bearer the-admin" } };
let host: Host;
let url: string;
let sessions: Http2SessionManager;
const body = (name: string) => ({
  case: "json" as const,
  value: Buffer.from(JSON.stringify({ name })),
});

beforeAll(async () => {
  const tokens = `memory-only read,write,backup,restore index=${memory} name=m\nthe-admin admin\nbacker backup\nnested read,write index=/core/mem2\n`;
  host = await createHost({
    dataDirectory: join(root, "data"),
    httpPort: 0,
    grpcPort: 0,
    tokens,
    memoryIndexes: ["/core/mem2"],
    factories: [{ path: "/core/examples/sub", kind: "com:example:X:Y", indexLink: "/core/mem2" }],
  });
  url = `http://127.0.0.1:${host.httpAddress.port}`;
  sessions = new Http2SessionManager(`http://127.0.0.1:${host.grpcAddress.port}`);
  await host.documents.create("/core/examples", '{"name":"secret","documentSelfLink":"s"}');
  await host.documents.create("/core/in-memory-examples", '{"name":"mine","documentSelfLink":"m"}');
});
beforeRemoval(async () => {
  sessions.abort();
  await host.close();
});

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "OK";
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorInfoSchema)[0]?.reason ?? String(thrown);
  }
}

async function drained<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Waits for an operation; returns the reason of its failure, or OK. */
async function outcome(transport: Transport, name: string): Promise<string> {
  const { result } = await createClient(Operations, transport).waitOperation({ name }, admin);
  if (result.case !== "error") return "OK";
  const [detail] = result.value.details;
  return detail ? Buffer.from(detail.value).toString("latin1") : result.value.message;
}

describe.each([
  [
    "gRPC",
    () =>
      createGrpcTransport({
        baseUrl: `http://127.0.0.1:${host.grpcAddress.port}`,
        sessionManager: sessions,
      }),
  ],
  ["Connect", () => createConnectTransport({ baseUrl: url, httpVersion: "1.1" })],
])("a token for one index over %s", (_name, open) => {
  const documents = () => createClient(DocumentService, open());
  const management = () => createClient(ManagementService, open());

  test("reads and writes documents of its index and of no other", async () => {
    const calls = (factory: string, link: string): Promise<unknown>[] => [
      documents().getDocument({ selfLink: link }, own),
      documents().patchDocument({ selfLink: link, body: body("p") }, own),
      documents().replaceDocument({ selfLink: link, body: body("r") }, own),
      documents().createDocument({ factoryLink: factory, body: body("c") }, own),
      documents().listDocuments({ factoryLink: factory }, own),
      documents().listDocuments({ factoryLink: factory.slice(1) }, own),
      documents().listDocumentVersions({ selfLink: link }, own),
      documents().getDocumentVersion({ selfLink: link }, own),
      drained(documents().exportDocuments({ factoryLink: factory }, own)),
      drained(
        documents().importDocuments(
          (async function* () {
            yield { message: { case: "header" as const, value: { factoryLink: factory } } };
            yield {
              message: {
                case: "document" as const,
                value: Buffer.from('{"name":"i","documentSelfLink":"i"}'),
              },
            };
          })(),
          own,
        ),
      ),
    ];
    expect(
      await Promise.all(
        calls("/core/in-memory-examples", "/core/in-memory-examples/m").map(reasonOf),
      ),
    ).toEqual(Array.from({ length: 10 }, () => "OK"));
    expect(await Promise.all(calls("/core/examples", "/core/examples/s").map(reasonOf))).toEqual(
      Array.from({ length: 10 }, () => "INDEX_NOT_ALLOWED"),
    );
    expect(
      await reasonOf(
        documents().getDocumentVersion(
          { selfLink: "/core/in-memory-examples/m", indexLink: durable },
          own,
        ),
      ),
    ).toBe("INDEX_NOT_ALLOWED");
    expect(await reasonOf(documents().deleteDocument({ selfLink: "/core/examples/s" }, own))).toBe(
      "INDEX_NOT_ALLOWED",
    );
    expect(await reasonOf(documents().getDocument({ selfLink: "/core/nowhere/s" }, own))).toBe(
      "DOCUMENT_NOT_FOUND",
    );
    expect((await host.documents.get("/core/examples/s")).version).toBe(0);
  });

  test("backs up and restores its index and no other, nor restores another one into it", async () => {
    const { name } = await management().backup({ destination, indexLink: memory }, own);
    expect(await outcome(open(), name)).toBe("OK");
    expect(await reasonOf(management().backup({ destination }, own))).toBe("INDEX_NOT_ALLOWED");
    expect(await reasonOf(management().backup({ destination, indexLink: durable }, own))).toBe(
      "INDEX_NOT_ALLOWED",
    );
    const { name: foreign } = await management().backup(
      { destination: `${destination}-durable` },
      admin,
    );
    expect(await outcome(open(), foreign)).toBe("OK");
    for (const call of [
      management().restore({ source: destination }, own),
      management().undoRestore({}, own),
      management().checkIndex({}, own),
      drained(management().streamBackup({}, own)),
      createClient(Operations, open()).getOperation({ name: foreign }, own),
      drained(management().watchOperation({ name: foreign }, own)),
    ])
      expect(await reasonOf(call)).toBe("INDEX_NOT_ALLOWED");
    expect((await createClient(Operations, open()).getOperation({ name }, own)).done).toBe(true);
    const restored = await management().restore({ source: destination, indexLink: memory }, own);
    expect(await outcome(open(), restored.name)).toBe("OK");
    // With all roles on its own index, the token could read documents of the other index there.
    const stolen = await management().restore(
      { source: `${destination}-durable`, indexLink: memory },
      own,
    );
    expect(await outcome(open(), stolen.name)).toContain("BACKUP_OF_OTHER_INDEX");
    for (const more of [{ indexLink: memory }, {}]) {
      const some = management()
        .restore(
          { source: `${destination}-durable`, ...more, selection: { prefixes: ["/core/"] } },
          more.indexLink === undefined ? admin : own,
        )
        .then(({ name: started }) => outcome(open(), started));
      expect(await some).toContain(more.indexLink === undefined ? "OK" : "BACKUP_OF_OTHER_INDEX");
    }
    expect(
      await reasonOf(
        documents().getDocumentVersion({ selfLink: "/core/examples/s", indexLink: memory }, own),
      ),
    ).toMatch(/NOT_FOUND/);
    const archive = await drained(management().streamBackup({}, admin));
    const chunks = archive.flatMap(({ message }) =>
      message.case === "chunk" ? [message.value] : [],
    );
    const trailer = archive.flatMap(({ message }) =>
      message.case === "trailer" ? [message.value] : [],
    )[0];
    const sent = async function* () {
      yield { message: { case: "header" as const, value: { indexLink: memory } } };
      for (const value of chunks) yield { message: { case: "chunk" as const, value } };
      if (trailer) yield { message: { case: "trailer" as const, value: trailer } };
    };
    expect(await reasonOf(management().streamRestore(sent(), own))).toBe("BACKUP_OF_OTHER_INDEX");
    const intoOthers = async function* () {
      yield {
        message: {
          case: "header" as const,
          value: { indexLink: memory, transferName: "transfers/victim" },
        },
      };
    };
    expect(await reasonOf(management().streamRestore(intoOthers(), own))).toBe("INDEX_NOT_ALLOWED");
    expect(
      await reasonOf(documents().getDocument({ selfLink: "/core/in-memory-examples/m" }, own)),
    ).toBe("OK");
  });

  test("reads documents and versions of its index alone, whatever index it names", async () => {
    const other = { indexLink: durable };
    const link = { selfLink: "/core/in-memory-examples/m" };
    for (const call of [
      documents().listDocuments({ factoryLink: "/core/in-memory-examples", ...other }, own),
      documents().listDocumentVersions({ ...link, ...other }, own),
      documents().getDocumentVersion({ ...link, ...other }, own),
      documents().compareDocumentVersions({ ...link, from: other }, own),
      documents().compareDocumentVersions({ ...link, to: other }, own),
      documents().listDocuments(
        { factoryLink: "/core/in-memory-examples", indexLink: "/core/opened-indexes/1" },
        own,
      ),
      management().openBackup({ pointInTime: { indexLink: memory } }, own),
      management().closeBackup({ indexLink: "/core/opened-indexes/1" }, own),
    ])
      expect(await reasonOf(call)).toBe("INDEX_NOT_ALLOWED");
    const mine = { indexLink: memory };
    for (const call of [
      documents().listDocuments({ factoryLink: "/core/in-memory-examples", ...mine }, own),
      documents().listDocumentVersions({ ...link, ...mine }, own),
      documents().compareDocumentVersions({ ...link, from: mine, to: mine }, own),
    ])
      expect(await reasonOf(call)).toBe("OK");
  });

  test("inspects its live index, and no destination that may hold backups of others", async () => {
    expect(
      await reasonOf(
        drained(management().exportBackup({ pointInTime: { indexLink: memory } }, own)),
      ),
    ).toBe("OK");
    for (const call of [
      drained(management().exportBackup({ pointInTime: {} }, own)),
      drained(
        management().exportBackup({ pointInTime: { uri: destination, indexLink: memory } }, own),
      ),
      drained(
        management().diffBackups(
          { from: { indexLink: memory }, to: { uri: destination, indexLink: memory } },
          own,
        ),
      ),
      management().describePointInTime({ pointInTime: { uri: destination } }, own),
      management().verifyBackup({ uri: destination }, own),
      management().describeBackup({ uri: destination }, own),
      management().listBackups({ uri: destination }, own),
      management().listTransfers({}, own),
      createClient(Operations, open()).listOperations({ name: "operations" }, own),
    ])
      expect(await reasonOf(call)).toBe("INDEX_NOT_ALLOWED");
    expect(await reasonOf(management().getHost({}, own))).toBe("OK");
  });
});

test("every method is classified, or closed to such a token", () => {
  const methods = hostServices({ ...host, nowMicros: () => 0 }).flatMap(({ service }) =>
    service.methods.map(({ name }) => `${service.typeName}.${name}`),
  );
  expect([...indexScopedMethods].filter((name) => !methods.includes(name))).toEqual([]);
});

test.each([
  ["GET", "/core/examples/s", 403],
  ["GET", "/core/examples", 403],
  ["DELETE", "/core/examples/s", 403],
  ["POST", "/core/examples", 403, { name: "x" }],
  ["GET", `${durable}?documentSelfLink=/core/examples/s`, 403],
  ["GET", `${durable}-backup`, 403],
  [
    "POST",
    "/core/query-tasks",
    403,
    {
      taskInfo: { isDirect: true },
      querySpec: {
        query: { term: { propertyName: "name", matchValue: "*", matchType: "WILDCARD" } },
      },
    },
  ],
  [
    "POST",
    "/core/query-tasks",
    200,
    {
      taskInfo: { isDirect: true },
      indexLink: memory,
      querySpec: {
        query: { term: { propertyName: "name", matchValue: "*", matchType: "WILDCARD" } },
      },
    },
  ],
  ["GET", "/core/in-memory-examples/m", 200],
  ["GET", `${memory}-backup`, 200],
  [
    "PATCH",
    "/core/management",
    403,
    {
      kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
      destination,
      backupType: "DIRECTORY",
    },
  ],
  [
    "PATCH",
    "/core/management",
    200,
    {
      kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
      destination,
      backupType: "DIRECTORY",
      indexServiceLink: memory,
    },
  ],
  [
    "PATCH",
    "/core/management",
    400,
    {
      kind: "com:vmware:xenon:services:common:ServiceHostManagementService:RestoreRequest",
      destination: `${destination}-durable`,
      indexServiceLink: memory,
    },
  ],
  ["GET", "/v1/documents/core/examples/s", 403],
  ["GET", "/v1/documents:export?factory_link=/core/examples", 403],
  ["GET", "/v1/documents:export?factory_link=/core/in-memory-examples", 200],
  ["GET", "/v1/transfers/any:download", 403],
  ["GET", `/v1/backups?uri=${encodeURIComponent(destination)}`, 403],
])("over HTTP: %s %s returns %d", async (method, path, status, ...[sent]: unknown[]) => {
  const answer = await fetch(url + path, {
    method,
    headers: { ...own.headers, "content-type": "application/json" },
    ...(sent !== undefined && { body: JSON.stringify(sent) }),
  });
  const text = await answer.text();
  expect({ status: answer.status, text }).toMatchObject({ status });
  if (status === 403) expect(text).toContain("limited to");
});

test("a query task of another index cannot be read, paged or deleted", async () => {
  const ask = (method: string, path: string, headers: Record<string, string>, sent?: unknown) =>
    fetch(url + path, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      ...(sent !== undefined && { body: JSON.stringify(sent) }),
    }).then(async (answer) => ({
      status: answer.status,
      body: JSON.parse((await answer.text()) || "{}") as {
        documentLinks?: string[];
        results?: { nextPageLink: string };
      },
    }));
  const spec = {
    querySpec: {
      query: { term: { propertyName: "name", matchValue: "*", matchType: "WILDCARD" } },
      resultLimit: 1,
    },
  };
  await ask("POST", "/core/query-tasks", admin.headers, { ...spec, documentSelfLink: "t" });
  expect((await ask("GET", "/core/query-tasks", own.headers)).body.documentLinks).toEqual([]);
  expect((await ask("GET", "/core/query-tasks", admin.headers)).body.documentLinks).toEqual([
    "/core/query-tasks/t",
  ]);
  for (const method of ["GET", "DELETE"])
    expect((await ask(method, "/core/query-tasks/t", own.headers)).status).toBe(403);
  const direct = await ask("POST", "/core/query-tasks", admin.headers, {
    ...spec,
    taskInfo: { isDirect: true },
  });
  expect((await ask("GET", direct.body.results?.nextPageLink ?? "", own.headers)).status).toBe(403);
  expect((await ask("GET", direct.body.results?.nextPageLink ?? "", admin.headers)).status).toBe(
    200,
  );
});

test("a document whose link is a factory of another index belongs to its own index", async () => {
  await host.documents.create("/core/examples", '{"name":"nested","documentSelfLink":"sub"}');
  const call = (method: string, path: string, sent?: unknown) =>
    fetch(url + path, {
      method,
      headers: { authorization: "Bearer nested", "content-type": "application/json" },
      ...(sent !== undefined && { body: JSON.stringify(sent) }),
    }).then((answer) => answer.status);
  for (const path of ["sub", "sub:versions", "sub:version"])
    expect({ path, status: await call("GET", `/v1/documents/core/examples/${path}`) }).toEqual({
      path,
      status: 403,
    });
  expect(
    await call("PATCH", "/v1/documents/core/examples/sub", { fields: { name: "pwned" } }),
  ).toBe(403);
  expect(await call("DELETE", "/v1/documents/core/examples/sub")).toBe(403);
  expect(await call("GET", "/core/examples/sub")).toBe(200);
  const documents = createClient(
    DocumentService,
    createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
  );
  expect(
    (await documents.getDocumentVersion({ selfLink: "/core/examples/sub" }, admin)).selfLink,
  ).toBe("/core/examples/sub");
});

test("versions outside of all factories belong to the durable index", async () => {
  const documents = createClient(
    DocumentService,
    createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
  );
  expect(await reasonOf(documents.getDocumentVersion({ selfLink: "/core/books/b" }, own))).toBe(
    "INDEX_NOT_ALLOWED",
  );
});

test("a backup to another server requires the role read, over gRPC and the Xenon dialect", async () => {
  const management = createClient(
    ManagementService,
    createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
  );
  const backer = { headers: { authorization: "Bearer backer" } };
  for (const to of ["http://127.0.0.1:1/x.zip", " HTTPS://127.0.0.1:1/x.zip"]) {
    expect(await reasonOf(management.backup({ destination: to }, backer))).toBe("ROLE_MISSING");
    const answer = await fetch(`${url}/core/management`, {
      method: "PATCH",
      headers: { ...backer.headers, "content-type": "application/json" },
      body: JSON.stringify({
        kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
        destination: to,
        backupType: "STREAM",
      }),
    });
    expect(answer.status).toBe(to.startsWith("http") ? 403 : 400);
  }
  expect(await reasonOf(management.backup({ destination: `${destination}-backer` }, backer))).toBe(
    "OK",
  );
});
