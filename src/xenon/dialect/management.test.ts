import { startDialectHost, type DialectHost } from "../../../test/support/dialect-host.js";
import { HostError } from "../../errors.js";
import { eventually } from "../../../test/support/eventually.js";

let host: DialectHost;
beforeEach(async () => {
  host = await startDialectHost();
});
afterEach(() => host.server.close(0));

const prefix = "com:vmware:xenon:services:common:ServiceHostManagementService:";
const patch = (body: unknown, headers?: Record<string, string>) =>
  host.call("PATCH", "/core/management", body, headers);
const backup = (fields: Record<string, unknown>) =>
  patch({ kind: `${prefix}BackupRequest`, destination: "file:/b/one.zip", ...fields });
const restore = (fields: Record<string, unknown>) =>
  patch({ kind: `${prefix}RestoreRequest`, destination: "file:/b/one.zip", ...fields });

describe("BackupRequest", () => {
  test("echoes the request with defaults in Xenon's order when the backup is done", async () => {
    const answer = await backup({ color: "red", backupType: null });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(
      `{"destination":"file:/b/one.zip","backupType":"ZIP","indexServiceLink":"/core/document-index","backupServiceLink":"/core/document-index-backup","kind":"${prefix}BackupRequest"}`,
    );
    expect(host.fake.backups).toEqual([
      { destination: "file:/b/one.zip", container: "ZIP", indexLink: "/core/document-index" },
    ]);
  });

  test.each([
    [{}, "/core/document-index", "/core/document-index-backup"],
    [
      { indexServiceLink: "/core/in-memory-document-index" },
      "/core/in-memory-document-index",
      "/core/document-index-backup",
    ],
    [
      { backupServiceLink: "/core/in-memory-document-index-backup" },
      "/core/in-memory-document-index",
      "/core/in-memory-document-index-backup",
    ],
    [
      {
        indexServiceLink: "/core/document-index",
        backupServiceLink: "/core/in-memory-document-index-backup",
      },
      "/core/document-index",
      "/core/in-memory-document-index-backup",
    ],
  ])("with %j applies to %s", async (fields, index, service) => {
    const echo = JSON.parse((await backup({ ...fields, backupType: "DIRECTORY" })).text) as Record<
      string,
      string
    >;
    expect(echo).toMatchObject({
      indexServiceLink: index,
      backupServiceLink: service,
      backupType: "DIRECTORY",
    });
    expect(host.fake.backups[0]?.indexLink).toBe(index);
  });

  test.each([undefined, null, "ZIP", "DIRECTORY", "STREAM"])(
    "to an HTTP destination with type %j is a STREAM, and the bearer token is not echoed",
    async (backupType) => {
      const destination = "HTTPS://store:8443/a%20b.zip?x=1";
      const answer = await backup({ destination, backupType, bearer: "hunter2" });
      expect(answer.text).toBe(
        `{"destination":"${destination}","backupType":"STREAM","indexServiceLink":"/core/document-index","backupServiceLink":"/core/document-index-backup","kind":"${prefix}BackupRequest"}`,
      );
      expect(host.fake.backups).toEqual([
        { destination, container: "STREAM", indexLink: "/core/document-index", bearer: "hunter2" },
      ]);
    },
  );

  test("waits for the operation and reports its failure", async () => {
    host.fake.hold = true;
    let answered = false;
    const call = backup({}).then((answer) => {
      answered = true;
      return answer;
    });
    await eventually(() => host.fake.backups.length === 1);
    // Time in which a premature response would arrive.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    host.fake.finish(
      new HostError("DESTINATION_OCCUPIED", "file:/b/one.zip holds something else."),
    );
    const answer = await call;
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("holds something else");
  });

  test("continues when the client disconnects", async () => {
    host.fake.hold = true;
    let cancelled = false;
    host.fake.operations.cancel = () => {
      cancelled = true;
      return Promise.resolve();
    };
    const { socket, closed } = await host.dial();
    const body = JSON.stringify({ kind: `${prefix}BackupRequest`, destination: "file:/b/one.zip" });
    socket.write(
      `PATCH /core/management HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => host.fake.backups.length === 1);
    socket.destroy();
    await closed;
    // Time in which the backup would be cancelled.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(cancelled).toBe(false);
    expect(host.internal).toEqual([]);
  });

  test("with Prefer: respond-async responds 202 with the location of the operation at once", async () => {
    host.fake.hold = true;
    const answer = await patch(
      { kind: `${prefix}BackupRequest`, destination: "file:/b/one.zip" },
      { prefer: "respond-async" },
    );
    expect(answer.status).toBe(202);
    expect(answer.headers["location"]).toBe("/v1/operations/1");
  });
});

describe("RestoreRequest", () => {
  test("passes the exact boundary and responds in Xenon's order", async () => {
    const answer = await patch(
      `{"kind":"${prefix}RestoreRequest","destination":"file:/b/one.zip","timeSnapshotBoundaryMicros":92233720368547758079}`,
    );
    expect(answer.text).toBe(
      `{"destination":"file:/b/one.zip","timeSnapshotBoundaryMicros":92233720368547758079,"backupServiceLink":"/core/document-index-backup","indexServiceLink":"/core/document-index","kind":"${prefix}RestoreRequest"}`,
    );
    expect(host.fake.restores).toEqual([
      {
        source: "file:/b/one.zip",
        indexLink: "/core/document-index",
        lenientTargetTime: true,
        indexNamed: false,
        targetTimeMicros: 92233720368547758079n,
      },
    ]);
  });

  test("from an HTTP source uses the bearer token and does not echo it", async () => {
    const answer = await restore({ destination: "http://store/b.zip", bearer: "hunter2" });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain("hunter2");
    expect(host.fake.restores).toMatchObject([{ source: "http://store/b.zip", bearer: "hunter2" }]);
  });

  test("maps a failure of the remote host to an own status", async () => {
    for (const [reason, status] of [
      ["DESTINATION_REFUSED", 502],
      ["DESTINATION_UNREACHABLE", 503],
      ["ADDRESS_NOT_ALLOWED", 403],
    ] as const) {
      host.fake.failWith = new HostError(
        reason,
        "The source http://store/b.zip answered GET with 404 Not Found.",
      );
      const answer = await restore({ destination: "http://store/b.zip" });
      expect(answer.status).toBe(status);
      expect(answer.text).toContain("404 Not Found");
    }
  });

  test("records whether the request names the index, which allows a backup of another index", async () => {
    await restore({ indexServiceLink: "/core/in-memory-document-index" });
    await restore({ backupServiceLink: "/core/document-index-backup" });
    await restore({ indexServiceLink: null });
    expect(host.fake.restores.map((one) => one.indexNamed)).toEqual([true, false, false]);
  });

  test("treats null as no boundary and 0 as a boundary", async () => {
    expect((await restore({ timeSnapshotBoundaryMicros: null })).text).not.toContain(
      "timeSnapshotBoundaryMicros",
    );
    expect((await restore({ timeSnapshotBoundaryMicros: 0 })).text).toContain(
      '"timeSnapshotBoundaryMicros":0,',
    );
    expect(host.fake.restores.map((one) => one.targetTimeMicros)).toEqual([undefined, 0n]);
    for (const bad of [-1, 1.5, "later", [], true])
      expect((await restore({ timeSnapshotBoundaryMicros: bad })).status).toBe(400);
  });
});

describe("invalid requests", () => {
  test.each<[string, unknown, number, RegExp]>([
    ["an empty body", "", 400, /^empty body$/],
    ["broken JSON", "{nope", 400, /^Unparseable JSON body/],
    ["no kind", { destination: "file:/x" }, 400, /^kind is required$/],
    ["an empty object", {}, 400, /^kind is required$/],
    ["an unknown kind", { kind: `${prefix}Nonsense` }, 400, /^unknown request/],
    [
      "a kind of another service",
      { kind: "BackupRequest", destination: "file:/x" },
      400,
      /^unknown request/,
    ],
    ["a kind that is no string", { kind: 7 }, 400, /kind must be a string/],
    [
      "a backup without destination",
      { kind: `${prefix}BackupRequest` },
      400,
      /^backup destination must be specified/,
    ],
    [
      "a restore without destination",
      { kind: `${prefix}RestoreRequest` },
      400,
      /^destination is required/,
    ],
    [
      "a destination without scheme",
      { kind: `${prefix}BackupRequest`, destination: "x.zip" },
      400,
      /^Missing scheme/,
    ],
    [
      "STREAM to a file",
      { kind: `${prefix}BackupRequest`, destination: "file:/x", backupType: "STREAM" },
      400,
      /^Missing host in URI/,
    ],
    [
      "an unknown type",
      { kind: `${prefix}BackupRequest`, destination: "file:/x", backupType: "TAPE" },
      400,
      /TAPE/,
    ],
    [
      "an unknown type with an HTTP destination",
      { kind: `${prefix}BackupRequest`, destination: "http://h/x", backupType: "TAPE" },
      400,
      /TAPE/,
    ],
    [
      "a bearer token that is not a string",
      { kind: `${prefix}BackupRequest`, destination: "http://h/x", bearer: 7 },
      400,
      /bearer must be a string/,
    ],
    [
      "an unknown index",
      { kind: `${prefix}BackupRequest`, destination: "file:/x", indexServiceLink: "/core/no" },
      400,
      /^Service not found: \/core\/no$/,
    ],
    [
      "an unknown backup service",
      {
        kind: `${prefix}BackupRequest`,
        destination: "file:/x",
        backupServiceLink: "/core/no-backup",
      },
      400,
      /^Service not found: \/core\/no-backup$/,
    ],
    [
      "an unknown backup service with a known index",
      {
        kind: `${prefix}BackupRequest`,
        destination: "file:/x",
        indexServiceLink: "/core/document-index",
        backupServiceLink: "/core/no",
      },
      400,
      /^Service not found: \/core\/no$/,
    ],
    [
      "an index for a backup service",
      {
        kind: `${prefix}BackupRequest`,
        destination: "file:/x",
        backupServiceLink: "/core/document-index",
      },
      400,
      /^Service not found/,
    ],
    [
      "no switch",
      { kind: `${prefix}AutoBackupConfiguration`, enable: "maybe" },
      400,
      /enable must be true or false/,
    ],
    [
      "no logging",
      { kind: `${prefix}ConfigureInboundRequestLogging` },
      400,
      /^loggingInfo is missing$/,
    ],
    [
      "logging settings that are not an object",
      { kind: `${prefix}ConfigureInboundRequestLogging`, loggingInfo: true },
      400,
      /loggingInfo must be an object/,
    ],
    [
      "an invalid tracing state",
      { kind: `${prefix}ConfigureOperationTracingRequest`, enable: true },
      400,
      /enable must be a string/,
    ],
    [
      "an unknown tracing request",
      { kind: `${prefix}ConfigureOperationTracingRequest`, enable: "PAUSE" },
      400,
      /START or STOP/,
    ],
  ])("%s", async (_what, body, status, message) => {
    const answer = await patch(body);
    const error = JSON.parse(answer.text) as Record<string, unknown>;
    expect(error).toEqual({
      message: expect.stringMatching(message),
      statusCode: status,
      documentKind: "com:vmware:xenon:common:ServiceErrorResponse",
      errorCode: 0,
    });
    expect(answer.status).toBe(status);
    expect([...host.fake.backups, ...host.fake.restores]).toEqual([]);
  });

  test("unsupported methods, forms and too large bodies", async () => {
    for (const method of ["POST", "PUT"]) {
      const answer = await host.call(method, "/core/management", {});
      expect(answer.status).toBe(405);
      expect(answer.headers["allow"]).toBe("GET, PATCH, DELETE");
      expect((await host.call(method, "/core/management/stats", {})).status).toBe(405);
      expect((await host.call(method, "/core/document-index-backup", {})).status).toBe(405);
    }
    expect(
      (await patch("kind=x", { "content-type": "application/x-www-form-urlencoded" })).status,
    ).toBe(400);
    expect((await patch(JSON.stringify({ kind: "x".repeat(70_000) }))).status).toBe(413);
  });

  test("a restoring host responds with Retry-After", async () => {
    host.fake.failWith = new HostError("INDEX_RESTORING", "The index is being restored.");
    const answer = await backup({});
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
  });

  test("the details of an unexpected error are hidden and reported internally", async () => {
    host.fake.management.backup = () => Promise.reject(new Error("secret /etc/path"));
    const answer = await backup({});
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/secret|at .*\.ts/);
    expect(host.internal).toHaveLength(1);
  });
});

test("GET describes the host with Xenon's field names, without environment variables", async () => {
  process.env["HOLDFAST_TEST_SECRET"] = "hunter2-hunter2";
  const answer = await host.call("GET", "/core/management");
  delete process.env["HOLDFAST_TEST_SECRET"];
  expect(JSON.parse(answer.text)).toMatchObject({
    id: "host-1",
    bindAddress: "127.0.0.1",
    httpPort: 8000,
    isAutoBackupEnabled: false,
    isAuthorizationEnabled: false,
    autoBackupDirectoryReference: "file:///data/of%20holdfast/auto-backup",
    documentSelfLink: "/core/management",
    documentKind: "com:vmware:xenon:common:ServiceHost:ServiceHostState",
    indexes: [
      {
        indexServiceLink: "/core/document-index",
        documentCount: 2,
        restorableWindow: { earliestMicros: 1, latestMicros: 2 },
      },
    ],
  });
  expect(answer.text).not.toContain("hunter2");
});

describe("tokens", () => {
  let guarded: DialectHost;
  beforeEach(async () => {
    guarded = await startDialectHost({ tokens: "r read\nw write\nb backup\ns restore\na admin\n" });
  });
  afterEach(() => guarded.server.close(0));
  const status = async (token: string | undefined, method: string, path: string, body?: unknown) =>
    (
      await guarded.call(
        method,
        path,
        body,
        token === undefined ? {} : { authorization: `Bearer ${token}` },
      )
    ).status;

  test("each route requires its role", async () => {
    const backupBody = { kind: `${prefix}BackupRequest`, destination: "file:/b" };
    const restoreBody = { kind: `${prefix}RestoreRequest`, destination: "file:/b" };
    const post = (token?: string) => status(token, "POST", "/core/examples", { name: "x" });
    expect(await post()).toBe(401);
    expect(await post("missing")).toBe(401);
    expect(await post("r")).toBe(403);
    expect(await post("b")).toBe(403);
    expect(await post("w")).toBe(200);
    expect(await post("a")).toBe(200);
    const get = (token?: string) => status(token, "GET", "/core/examples");
    expect(await get()).toBe(401);
    expect(await get("b")).toBe(403);
    expect(await get("r")).toBe(200);
    expect(await get("w")).toBe(200);
    const patchAs = (token: string | undefined, body: unknown) =>
      status(token, "PATCH", "/core/management", body);
    expect(await patchAs("b", backupBody)).toBe(200);
    expect(await patchAs("s", backupBody)).toBe(403);
    expect(await patchAs("a", backupBody)).toBe(200);
    expect(await patchAs("b", restoreBody)).toBe(403);
    expect(await patchAs("s", restoreBody)).toBe(200);
    // Without a token, requests are not validated.
    expect(await patchAs(undefined, "{nope")).toBe(401);
    expect(await status(undefined, "GET", "/core/management")).toBe(401);
    expect(await status("r", "GET", "/core/management")).toBe(200);
    expect(await status("r", "DELETE", "/core/examples/x")).toBe(403);
  });

  test("a 401 response contains the authentication scheme", async () => {
    const answer = await guarded.call("GET", "/core/examples");
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
  });
});

describe("settings of a host", () => {
  test.each([
    ["AutoBackupConfiguration", { enable: true }, { enable: true }],
    ["AutoBackupConfiguration", { enable: false }, { enable: false }],
    ["AutoBackupConfiguration", {}, { enable: false }],
    [
      "ConfigureInboundRequestLogging",
      { loggingInfo: { enabled: true, skipGossipRequests: false } },
      {
        loggingInfo: {
          enabled: true,
          skipGossipRequests: false,
          skipSynchronizationRequests: true,
          skipForwardingRequests: true,
        },
      },
    ],
    ["ConfigureOperationTracingRequest", {}, { enable: "START" }],
    [
      "ConfigureOperationTracingRequest",
      { enable: "STOP", level: "OFF" },
      { enable: "STOP", level: "OFF" },
    ],
    [
      "SynchronizeWithPeersRequest",
      { nodeSelectorPath: "/core/node-selectors/default" },
      { nodeSelectorPath: "/core/node-selectors/default" },
    ],
  ])("%s %j is echoed with defaults", async (name, fields, echo) => {
    const answer = await patch({ kind: prefix + name, ...fields });
    expect(answer.status).toBe(200);
    expect(answer.text).toEqual(JSON.stringify({ ...echo, kind: prefix + name }));
  });

  test("are returned by GET", async () => {
    await patch({ kind: `${prefix}AutoBackupConfiguration`, enable: true });
    await patch({
      kind: `${prefix}ConfigureInboundRequestLogging`,
      loggingInfo: { enabled: true },
    });
    await patch({
      kind: `${prefix}ConfigureOperationTracingRequest`,
      enable: "START",
      level: "FINE",
    });
    expect(JSON.parse((await host.call("GET", "/core/management")).text)).toMatchObject({
      isAutoBackupEnabled: true,
      autoBackup: { isEnabled: true, state: "CURRENT" },
      requestLoggingInfo: { enabled: true, skipForwardingRequests: true },
      operationTracingLevel: "FINE",
    });
  });

  test("require the role admin", async () => {
    await host.server.close(0);
    host = await startDialectHost({
      tokens: "reader-token-0123456789 read,backup,restore\nadmin-token-0123456789 admin\n",
    });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const enable = { kind: `${prefix}AutoBackupConfiguration`, enable: true };
    expect((await patch(enable, as("reader-token-0123456789"))).status).toBe(403);
    expect(
      (await host.call("DELETE", "/core/management", undefined, as("reader-token-0123456789")))
        .status,
    ).toBe(403);
    expect(host.control.shutdowns).toBe(0);
    expect((await patch(enable, as("admin-token-0123456789"))).status).toBe(200);
    expect(
      (await host.call("GET", "/core/management/stats", undefined, as("reader-token-0123456789")))
        .status,
    ).toBe(200);
  });

  test("DELETE responds 202 with an empty body before the host shuts down", async () => {
    const answer = await host.call("DELETE", "/core/management");
    expect(answer.status).toBe(202);
    expect(answer.text).toBe("");
    expect(answer.headers["content-length"]).toBe("0");
    await eventually(() => host.control.shutdowns === 1);
  });
});

describe("GET /core/management/stats", () => {
  test("has Xenon's format, with the counters of automatic backups from the start", async () => {
    const body = JSON.parse((await host.call("GET", "/core/management/stats")).text) as {
      entries: Record<string, unknown>;
    };
    expect(body).toMatchObject({
      kind: "com:vmware:xenon:common:ServiceStats",
      documentKind: "com:vmware:xenon:common:ServiceStats",
      documentSelfLink: "/core/management/stats",
      documentOwner: "host-1",
    });
    for (const outcome of ["Performed", "Skipped", "Failed"]) {
      const entry = (span: string, numBins: number, binDurationMillis: number) => ({
        name: `autoBackup${outcome}CountPer${span}`,
        latestValue: 0,
        accumulatedValue: 0,
        version: 0,
        lastUpdateMicrosUtc: 0,
        kind: "com:vmware:xenon:common:ServiceStats:ServiceStat",
        timeSeriesStats: { bins: {}, numBins, binDurationMillis, aggregationType: ["SUM"] },
      });
      expect(body.entries[`autoBackup${outcome}CountPerHour`]).toEqual(entry("Hour", 60, 60_000));
      expect(body.entries[`autoBackup${outcome}CountPerDay`]).toEqual(entry("Day", 24, 3_600_000));
    }
  });
});

describe("a backup service", () => {
  const service = "/core/in-memory-document-index-backup";

  test("backs up and restores its own index", async () => {
    const answer = await host.call("PATCH", service, {
      kind: `${prefix}BackupRequest`,
      destination: "file:/b/m",
      backupType: "DIRECTORY",
    });
    expect(JSON.parse(answer.text)).toMatchObject({
      indexServiceLink: "/core/in-memory-document-index",
      backupServiceLink: service,
    });
    await host.call("PATCH", service, {
      kind: `${prefix}RestoreRequest`,
      destination: "file:/b/m",
    });
    expect(host.fake.backups[0]?.indexLink).toBe("/core/in-memory-document-index");
    expect(host.fake.restores[0]?.indexLink).toBe("/core/in-memory-document-index");
  });

  test.each([
    [
      { indexServiceLink: "/core/document-index" },
      /backs up \/core\/in-memory-document-index, not/,
    ],
    [{ backupServiceLink: "/core/document-index-backup" }, /backs up/],
    [{ indexServiceLink: "/core/no" }, /^Service not found: \/core\/no$/],
    [{ kind: `${prefix}AutoBackupConfiguration` }, /^unknown request/],
  ])("rejects %j", async (fields, message) => {
    const answer = await host.call("PATCH", service, {
      kind: `${prefix}BackupRequest`,
      destination: "file:/b/m",
      ...fields,
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({
      message: expect.stringMatching(message) as string,
    });
    expect(host.fake.backups).toEqual([]);
  });

  test("returns the state of its last backup and restore", async () => {
    await host.call("PATCH", service, { kind: `${prefix}BackupRequest`, destination: "file:/b/m" });
    host.fake.failWith = new HostError("BACKUP_NOT_FOUND", "nothing there");
    await host.call("PATCH", service, {
      kind: `${prefix}RestoreRequest`,
      destination: "file:/b/n",
    });
    const state = JSON.parse((await host.call("GET", service)).text) as Record<string, unknown>;
    expect(state).toMatchObject({
      indexServiceLink: "/core/in-memory-document-index",
      lastBackup: { operation: "operations/1", outcome: "SUCCEEDED", destination: "file:/b/m" },
      lastSuccessfulBackup: { operation: "operations/1" },
      lastRestore: {
        operation: "operations/2",
        outcome: "FAILED",
        destination: "file:/b/n",
        message: "nothing there",
        reason: "BACKUP_NOT_FOUND",
      },
      documentSelfLink: service,
    });
    expect(state).not.toHaveProperty("lastSuccessfulRestore");
    expect(
      JSON.parse((await host.call("GET", "/core/document-index-backup")).text),
    ).not.toHaveProperty("lastBackup");
  });
});
