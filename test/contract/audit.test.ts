import { createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { createHost, type Host } from "../../src/host/start.js";
import { eventually } from "../support/eventually.js";
import { beforeRemoval, temporaryDirectory } from "../support/temporary-directory.js";

const root = temporaryDirectory();
const dataDirectory = join(root, "data");
const destination = pathToFileURL(join(root, "backups")).href;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const json = { "content-type": "application/json" };
let host: Host;
let url: string;
let sessions: Http2SessionManager;

beforeAll(async () => {
  const tokens = "the-admin admin name=alice\nthe-reader read name=bob\nthe-writer write\n";
  host = await createHost({ dataDirectory, httpPort: 0, grpcPort: 0, tokens });
  url = `http://127.0.0.1:${host.httpAddress.port}`;
  sessions = new Http2SessionManager(`http://127.0.0.1:${host.grpcAddress.port}`);
});
beforeRemoval(async () => {
  sessions.abort();
  await host.close();
});

const seen = new Map<string, number>();
/** The next `count` lines and all others written since the last call. Refusals and ends of operations are logged after the response, so their lines may arrive later. */
async function newLines(count: number, name = "audit.log"): Promise<Record<string, unknown>[]> {
  const linesSince = () =>
    readFileSync(join(dataDirectory, "audit", name), "utf8")
      .split("\n")
      .slice(seen.get(name) ?? 0, -1);
  await eventually(() => linesSince().length >= count);
  const fresh = linesSince().map((line) => JSON.parse(line) as Record<string, unknown>);
  seen.set(name, (seen.get(name) ?? 0) + fresh.length);
  return fresh.map(({ time, ...rest }) => {
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT/);
    return rest;
  });
}

const grpc = () =>
  createGrpcTransport({
    baseUrl: `http://127.0.0.1:${host.grpcAddress.port}`,
    sessionManager: sessions,
  });
const connect = () => createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
const send = (method: string, path: string, token: string, body?: unknown) =>
  fetch(url + path, {
    method,
    headers: { ...bearer(token), ...json },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

describe.each([
  ["grpc", grpc],
  ["connect", connect],
] as const)("by %s", (via, transport) => {
  const who = { token: "alice", address: "127.0.0.1", via };

  test("records who started a backup and how it ended", async () => {
    const { name } = await createClient(ManagementService, transport()).backup(
      { destination },
      { headers: bearer("the-admin") },
    );
    await createClient(Operations, transport()).waitOperation(
      { name },
      { headers: bearer("the-admin") },
    );
    expect(await newLines(2)).toEqual([
      { action: "Backup", outcome: "OK", ...who, subject: destination, operation: name },
      {
        action: "operation",
        outcome: "OK",
        subject: expect.stringContaining("backup /core/document-index") as string,
        operation: name,
      },
    ]);
  });

  test("records failures and refusals with their caller", async () => {
    const client = createClient(ManagementService, transport());
    await expect(
      client.pruneBackups({ uri: destination, names: ["m404"] }, { headers: bearer("the-admin") }),
    ).rejects.toThrow();
    await expect(
      client.restore({ source: destination }, { headers: bearer("the-reader") }),
    ).rejects.toThrow();
    await expect(client.undoRestore({}, { headers: bearer("nobody") })).rejects.toThrow();
    await expect(client.shutdown({})).rejects.toThrow();
    expect(await newLines(1)).toEqual([
      {
        action: "PruneBackups",
        outcome: "BACKUP_NOT_FOUND",
        ...who,
        subject: `${destination} m404`,
      },
    ]);
    expect(await newLines(3, "refused.log")).toEqual([
      { action: "Restore", outcome: "ROLE_MISSING", ...who, token: "bob" },
      { action: "UndoRestore", outcome: "TOKEN_UNKNOWN", address: "127.0.0.1", via },
      { action: "Shutdown", outcome: "TOKEN_MISSING", address: "127.0.0.1", via },
    ]);
  });

  test("records deletions, and streams when they end", async () => {
    const documents = createClient(DocumentService, transport());
    await documents.createDocument(
      {
        factoryLink: "/core/examples",
        documentId: `by-${via}`,
        body: { case: "json", value: Buffer.from('{"name":"x"}') },
      },
      { headers: bearer("the-writer") },
    );
    await documents.deleteDocument(
      { selfLink: `/core/examples/by-${via}` },
      { headers: bearer("the-writer") },
    );
    const parts = createClient(ManagementService, transport()).streamBackup(
      {},
      { headers: bearer("the-admin") },
    );
    let count = 0;
    for await (const _part of parts) count += 1;
    expect(count).toBeGreaterThan(1);
    expect((await newLines(3)).filter(({ action }) => action !== "operation")).toEqual([
      {
        action: "DeleteDocument",
        outcome: "OK",
        ...who,
        token: "token 3",
        subject: `/core/examples/by-${via}`,
      },
      { action: "StreamBackup", outcome: "OK", ...who },
    ]);
  });
});

test("over REST", async () => {
  const who = { token: "alice", address: "127.0.0.1", via: "rest" };
  const { name } = (await (
    await send("POST", "/v1/backups", "the-admin", { destination })
  ).json()) as { name: string };
  await send("POST", `/v1/${name}:wait`, "the-admin", {});
  await send("POST", "/v1/backups", "the-reader", { destination });
  await send("DELETE", "/v1/operations/nobody", "the-admin");
  await fetch(`${url}/v1/documents:import?factory_link=/core/examples`, {
    method: "POST",
    headers: { ...bearer("the-writer"), "content-type": "application/x-ndjson" },
    body: '{"name":"i","documentSelfLink":"i"}\n',
  }).then((answer) => answer.text());
  await fetch(`${url}/v1/documents:import?factory_link=/core/examples`, {
    method: "POST",
    headers: { ...bearer("the-writer"), "content-type": "application/x-ndjson" },
    body: "no JSON\n",
  }).then((answer) => answer.text());
  expect(await newLines(5)).toEqual([
    { action: "Backup", outcome: "OK", ...who, subject: destination, operation: name },
    {
      action: "operation",
      outcome: "OK",
      subject: expect.stringContaining("backup") as string,
      operation: name,
    },
    {
      action: "DeleteOperation",
      outcome: "OPERATION_NOT_FOUND",
      ...who,
      subject: "operations/nobody",
    },
    {
      action: "ImportDocuments",
      outcome: "OK",
      ...who,
      token: "token 3",
      subject: "/core/examples",
    },
    {
      action: "ImportDocuments",
      outcome: "JSON_INVALID",
      ...who,
      token: "token 3",
      subject: "/core/examples",
    },
  ]);
  expect(await newLines(1, "refused.log")).toEqual([
    { action: "Backup", outcome: "ROLE_MISSING", ...who, token: "bob" },
  ]);
});

test("over the Xenon dialect", async () => {
  const who = { token: "alice", address: "127.0.0.1", via: "xenon" };
  const manage = (token: string, kind: string, fields: object) =>
    send("PATCH", "/core/management", token, {
      kind: `com:vmware:xenon:services:common:ServiceHostManagementService:${kind}`,
      ...fields,
    });
  expect(
    (await manage("the-admin", "BackupRequest", { destination, backupType: "DIRECTORY" })).status,
  ).toBe(200);
  expect(
    (await manage("the-admin", "RestoreRequest", { destination: `${destination}-none` })).status,
  ).toBe(404);
  expect((await manage("the-reader", "RestoreRequest", { destination })).status).toBe(403);
  await manage("the-admin", "AutoBackupConfiguration", { enable: false });
  await send("DELETE", "/core/examples/i", "the-writer");
  await send("POST", "/local-files", "the-admin", {
    documentSelfLink: "f",
    localFileUri: pathToFileURL(join(root, "f.bin")).href,
    fileOptions: ["WRITE", "CREATE"],
  });
  const lines = await newLines(7);
  expect(lines.filter(({ action }) => action !== "operation")).toEqual([
    {
      action: "Backup",
      outcome: "OK",
      ...who,
      subject: destination,
      operation: expect.stringMatching(/^operations\//) as string,
    },
    {
      action: "Restore",
      outcome: "OK",
      ...who,
      subject: `${destination}-none`,
      operation: expect.stringMatching(/^operations\//) as string,
    },
    { action: "ConfigureAutoBackup", outcome: "OK", ...who, subject: "enabled=false" },
    {
      action: "DeleteDocument",
      outcome: "OK",
      ...who,
      token: "token 3",
      subject: "/core/examples/i",
    },
    {
      action: "CreateFileService",
      outcome: "PATH_OUTSIDE_ROOTS",
      ...who,
      via: "files",
      subject: pathToFileURL(join(root, "f.bin")).href,
    },
  ]);
  expect(await newLines(1, "refused.log")).toEqual([
    { action: "PATCH /core/management", outcome: "ROLE_MISSING", ...who, token: "bob" },
  ]);
  expect(
    lines.filter(({ action }) => action === "operation").map(({ outcome }) => outcome),
  ).toEqual(["OK", "BACKUP_NOT_FOUND"]);
});

test("records requests refused for a foreign origin or host name", async () => {
  await fetch(`${url}/core/management`, {
    method: "DELETE",
    headers: { ...bearer("the-admin"), origin: "http://evil.test" },
  });
  expect(await newLines(1, "refused.log")).toEqual([
    {
      action: "DELETE /core/management",
      outcome: "CROSS_SITE_REFUSED",
      token: "alice",
      address: "127.0.0.1",
      via: "other",
    },
  ]);
});
