import { connect } from "node:net";
import { HostError } from "../../src/errors.js";
import { startServers, type Servers } from "./support/servers.js";

let servers: Servers;
beforeEach(async () => void (servers = await startServers()));
afterEach(() => servers.close());

const base64 = (text: string) => Buffer.from(text).toString("base64");

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${servers.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: (text === "" ? {} : JSON.parse(text)) as Record<string, never> & {
      details?: Record<string, unknown>[];
    },
  };
}
const make = (id = "one") =>
  call("POST", "/v1/documents", {
    factoryLink: "/core/examples",
    documentId: id,
    fields: { name: "first" },
  });

test("creates, reads, changes, lists and deletes a document", async () => {
  const made = await make();
  expect(made.status).toBe(200);
  expect(made.json).toMatchObject({
    selfLink: "/core/examples/one",
    version: "0",
    action: "DOCUMENT_ACTION_POST",
    etag: '"0"',
    fields: { name: "first" },
  });
  expect(made.headers.get("etag")).toBe('"0"');

  const read = await call("GET", "/v1/documents/core/examples/one");
  expect(Buffer.from(read.json["json"] ?? "", "base64").toString()).toContain('"name":"first"');
  expect(
    (await call("GET", "/v1/documents/core/examples/one?bodyFormat=BODY_FORMAT_NONE")).json,
  ).not.toHaveProperty("json");

  const patched = await call("PATCH", "/v1/documents/core/examples/one", {
    json: base64('{"n":9007199254740993}'),
  });
  expect(patched.json).toMatchObject({ version: "1", action: "DOCUMENT_ACTION_PATCH" });
  expect(Buffer.from(patched.json["json"] ?? "", "base64").toString()).toBe(
    '{"n":9007199254740993}',
  );

  expect((await call("PUT", "/v1/documents/core/examples/one", { fields: {} })).json).toMatchObject(
    { version: "2", action: "DOCUMENT_ACTION_PUT" },
  );
  expect((await call("GET", "/v1/documents?factoryLink=/core/examples")).json).toMatchObject({
    documents: [{ selfLink: "/core/examples/one" }],
    nextPageToken: "",
  });
  expect((await call("DELETE", "/v1/documents/core/examples/one")).json).toMatchObject({
    document: { version: "3", action: "DOCUMENT_ACTION_DELETE" },
  });
  expect((await call("DELETE", "/v1/documents/core/examples/one")).json).toEqual({});

  expect(
    (await call("GET", "/v1/documents/core/examples/one:version?version=1")).json,
  ).toMatchObject({ version: "1" });
  const versions = await call("GET", "/v1/documents/core/examples/one:versions?pageSize=3");
  expect(versions.json["versions"]).toMatchObject([
    { version: "3" },
    { version: "2" },
    { version: "1" },
  ]);
  const rest = await call(
    "GET",
    `/v1/documents/core/examples/one:versions?pageSize=3&pageToken=${versions.json["nextPageToken"]}`,
  );
  expect(rest.json).toMatchObject({ versions: [{ version: "0" }], nextPageToken: "" });
});

test("a Struct preserves numbers exactly in both directions", async () => {
  await make();
  const coming = await call(
    "PATCH",
    "/v1/documents/core/examples/one",
    '{"fields":{"a":{"b":[1,9007199254740993]}}}',
  );
  expect(coming.status).toBe(400);
  expect(coming.json["details"]?.[0]).toMatchObject({
    reason: "REQUEST_INVALID",
    metadata: { field: "a.b.1" },
  });
  expect(
    (await call("PATCH", "/v1/documents/core/examples/one", '{"fields":{"n":9007199254740991}}'))
      .status,
  ).toBe(200);

  const written = await call("PATCH", "/v1/documents/core/examples/one", {
    json: base64('{"n":9007199254740993}'),
    bodyFormat: "BODY_FORMAT_FIELDS",
  });
  expect(written.status).toBe(200);
  expect(written.json).toHaveProperty("json");
  const going = await call("GET", "/v1/documents/core/examples/one?bodyFormat=BODY_FORMAT_FIELDS");
  expect(going.status).toBe(400);
  expect(going.json["message"]).toContain("/core/examples/one");
});

test("answers a failed If-Match with 412 and a failed expectedVersion with 409", async () => {
  await make();
  const patch = { fields: { name: "second" } };
  expect(
    (await call("PATCH", "/v1/documents/core/examples/one", patch, { "if-match": '"5"' })).status,
  ).toBe(412);
  expect(
    (await call("PATCH", "/v1/documents/core/examples/one", { ...patch, expectedVersion: "5" }))
      .status,
  ).toBe(409);
  expect(
    (await call("PATCH", "/v1/documents/core/examples/one", patch, { "if-match": '"0"' })).json,
  ).toMatchObject({ version: "1" });
  expect(
    (await call("DELETE", "/v1/documents/core/examples/one", undefined, { "if-match": '"0"' }))
      .status,
  ).toBe(412);
});

test("errors are google.rpc.Status messages with a reason", async () => {
  const missing = await call("GET", "/v1/documents/core/examples/none");
  expect(missing.status).toBe(404);
  expect(missing.json).toEqual({
    code: 5,
    message: "There is no /core/examples/none.",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "DOCUMENT_NOT_FOUND",
        domain: "holdfast",
        metadata: { link: "/core/examples/none" },
      },
    ],
  });
});

test("a violated rule names the field", async () => {
  const answer = await call("POST", "/v1/backups", {
    destination: "",
    container: 9,
    requestId: "a b",
  });
  expect(answer.status).toBe(400);
  const violations = answer.json["details"]?.[1] as { fieldViolations: { field: string }[] };
  expect(violations.fieldViolations.map(({ field }) => field)).toEqual([
    "destination",
    "container",
    "request_id",
  ]);
});

test.each([
  ["an unknown field", "POST", "/v1/backups", '{"destinatoin":"x"}', 400],
  ["an unknown parameter", "GET", "/v1/host?verbose=1", undefined, 400],
  ["malformed JSON", "POST", "/v1/backups", "{", 400],
  ["an unknown path", "GET", "/v1/nothing", undefined, 404],
  ["an unknown method", "DELETE", "/v1/host", undefined, 405],
  ["a malformed path", "GET", "/v1/documents/%ff", undefined, 400],
  ["a link of 1025 bytes", "GET", `/v1/documents/${"é".repeat(512)}x`, undefined, 400],
])("rejects %s: %s %s", async (_what, method, path, body, status) => {
  expect((await call(method, path, body)).status).toBe(status);
});

test("405 lists the allowed methods", async () => {
  expect((await call("DELETE", "/v1/backups")).headers.get("allow")).toBe("GET, POST");
});

test("accepts only JSON, so that forms of other sites have no effect", async () => {
  const answer = await call("POST", "/v1/backups", '{"destination":"file:/x"}', {
    "content-type": "text/plain",
  });
  expect(answer.status).toBe(400);
  expect(servers.host.asked.backup).toEqual([]);
});

test("an unexpected error is 500 without its message", async () => {
  const answer = await call("GET", "/v1/documents?factoryLink=/core/examples&filter=secret");
  expect(answer.status).toBe(500);
  expect(JSON.stringify(answer.json)).not.toContain("hunter2");
  expect(String(servers.internal[0])).toContain("hunter2");
});

test("leaves paths outside of /v1 to other handlers", async () => {
  expect((await fetch(`${servers.url}/core/management`)).status).toBe(418);
  expect((await fetch(`${servers.url}/v10/host`)).status).toBe(418);
});

test("rejects a body that is too large before it is received", async () => {
  const socket = connect(servers.httpPort, "127.0.0.1");
  socket.write(
    `POST /v1/backups HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999999\r\n\r\n{`,
  );
  const head = await new Promise<string>((resolve) =>
    socket.once("data", (data) => resolve(data.toString())),
  );
  expect(head).toMatch(/^HTTP\/1\.1 413 /);
  expect(head).toContain("BODY_TOO_LARGE");
  expect(head.toLowerCase()).toContain("connection: close");
  socket.destroy();
});

test("rejects a chunked body as soon as it is too large", async () => {
  const response = await call(
    "POST",
    "/v1/backups",
    JSON.stringify({ destination: "x".repeat(70_000) }),
  );
  expect(response.status).toBe(413);
});

test("accepts a document of 16 MiB", async () => {
  const json = base64(`{"a":"${"x".repeat(16 * 1024 * 1024 - 8)}"}`);
  expect(
    (await call("POST", "/v1/documents", { factoryLink: "/core/examples", json })).status,
  ).toBe(200);
});

test("backups and restores are operations with typed metadata and results", async () => {
  const begun = await call("POST", "/v1/backups", {
    destination: "https://store/x?y=1",
    requestId: "r-1",
    full: true,
  });
  expect(servers.host.asked.backup).toEqual([
    {
      destination: "https://store/x?y=1",
      container: "STREAM",
      indexLink: "/core/document-index",
      store: false,
      full: true,
      validateOnly: false,
      requestId: "r-1",
    },
  ]);
  expect(begun.json).toMatchObject({
    name: "operations/1",
    done: true,
    metadata: {
      "@type": "type.googleapis.com/holdfast.management.v1.OperationMetadata",
      kind: "OPERATION_KIND_BACKUP",
      bytesPerSecond: 50,
    },
    response: {
      "@type": "type.googleapis.com/holdfast.management.v1.BackupResult",
      backup: { createTimeMicros: "9007199254740991", segments: [{ kind: "SEGMENT_KIND_BASE" }] },
    },
  });
  const restored = await call("POST", "/v1/restores", {
    source: "file:/backups",
    targetTimeMicros: "0",
    backupName: "m1",
  });
  expect(servers.host.asked.restore).toMatchObject([
    { source: "file:/backups", targetTimeMicros: 0n, manifest: "m1" },
  ]);
  expect(restored.json).toMatchObject({
    done: true,
    error: { code: 11, details: [{ reason: "TARGET_TIME_OUT_OF_RANGE" }] },
  });

  const running = await call("POST", "/v1/backups:verify", { uri: "file:/backups" });
  expect(running.json).toMatchObject({ done: false, metadata: { remainingMicros: "1000000" } });
  const name = running.json["name"];
  expect((await call("GET", "/v1/operations")).json["operations"]).toHaveLength(3);
  expect((await call("GET", `/v1/${name}`)).json).toMatchObject({ name });
  expect((await call("POST", `/v1/${name}:wait`, { timeout: "0.05s" })).json).toMatchObject({
    done: false,
  });
  expect((await call("POST", `/v1/${name}:cancel`)).json).toEqual({});
  expect((await call("GET", `/v1/${name}`)).json).toMatchObject({ done: true, error: { code: 1 } });
  expect((await call("DELETE", `/v1/${name}`)).status).toBe(200);
});

test("describes, lists by page and prunes backups", async () => {
  expect((await call("GET", "/v1/backups:describe?uri=file:/backups")).json).toMatchObject({
    number: "1",
    window: { earliestMicros: "1" },
  });
  const first = await call("GET", "/v1/backups?uri=file:/backups&pageSize=2");
  expect(first.json["backups"]).toMatchObject([
    { name: "m1", state: "BACKUP_STATE_COMPLETE" },
    { name: "m2", state: "BACKUP_STATE_DAMAGED", problem: "no base" },
  ]);
  const second = await call(
    "GET",
    `/v1/backups?uri=file:/backups&pageToken=${first.json["nextPageToken"]}`,
  );
  expect(second.json).toMatchObject({ backups: [{ name: "m3" }], nextPageToken: "" });
  expect((await call("GET", "/v1/backups?uri=file:/backups&pageToken=x")).status).toBe(400);
  expect(
    (await call("POST", "/v1/backups:prune", { uri: "file:/backups", names: ["m1"] })).json,
  ).toMatchObject({ removedBackups: ["m1"], freedBytes: "7" });
});

test("rejects an unauthorized call before reading its body", async () => {
  await servers.close();
  servers = await startServers((method, { bearerToken: token }) => {
    if (method.name !== "GetHost" && token !== "good")
      throw new HostError("TOKEN_MISSING", "Send a token.");
  });
  const refused = await call("POST", "/v1/backups", "{ no JSON");
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect((await call("GET", "/v1/host")).status).toBe(200);
  expect(
    (await call("GET", "/v1/operations", undefined, { authorization: "Bearer good" })).status,
  ).toBe(200);
});
