import { createClient } from "@connectrpc/connect";
import { cpSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { connectToHost } from "../../src/client/connect-to-host.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { policySpec } from "../support/policy-spec.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import {
  ask,
  managementRequest,
  runToEnd,
  serve,
  type ServedHost,
} from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Several hosts on one database, one of which leads. */

const indexLink = "/core/document-index";
let server: PostgresServer;
let schemas = 0;
const newSchema = () => `hosts_${(schemas += 1)}`;

/** A name of this machine that resolves to loopback addresses. */
const advertisedHost = "localhost";

const urlOf = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;
const leads = ({ host }: HostFixture) => {
  try {
    host.operations.list(1);
    return true;
  } catch {
    return false;
  }
};

(havePostgres ? describe : describe.skip)("hosts that share a database", () => {
  beforeAll(async () => {
    server = await startPostgres();
  });

  /** Starts two hosts; the first one leads. */
  const twoHosts = async (
    more: Parameters<typeof hostFixture>[0] = {},
  ): Promise<[HostFixture, HostFixture]> => {
    const postgres = { url: server.url, schema: newSchema() };
    return [
      // By a name, which is not that of its address.
      await hostFixture({ postgres, id: "a", advertisedHost, ...more }, temporaryDirectory()),
      await hostFixture({ postgres, id: "b", ...more }, temporaryDirectory()),
    ];
  };

  test("one with the id of another is refused, also on a copy of its data directory", async () => {
    const [a] = await twoHosts();
    const same = { postgres: { url: server.url, schema: `hosts_${schemas}` }, id: "a" };
    const other = temporaryDirectory();
    await expect(hostFixture(same, other)).rejects.toMatchObject({ reason: "HOST_ID_IN_USE" });
    const copy = temporaryDirectory();
    cpSync(a.root, copy, { recursive: true });
    await expect(hostFixture(same, copy)).rejects.toMatchObject({ reason: "HOST_ID_IN_USE" });
    expect(leads(a)).toBe(true);
    // The same directory starts again at once.
    await a.restart();
    await a.put("x", {});
  }, 60_000);

  test("each reads and writes all documents, and a restore and its undo are seen by all at once", async () => {
    const [a, b] = await twoHosts();
    const time = await a.put("x", { n: 1 });
    expect(await b.contents()).toEqual({ x: '{"n":1}' });
    await b.put("x", { n: 2 });
    await b.put("y", { n: 3 });
    expect(await a.contents()).toEqual({ x: '{"n":2}', y: '{"n":3}' });
    const lineage = async ({ host }: HostFixture) => {
      const { indexes } = await host.management.host();
      return indexes.find(({ link }) => link === indexLink)?.lineage;
    };
    const page = { factoryPath: "/things", limit: 1, expand: false };
    const { nextPageToken } = await b.host.documents.list(page);
    await a.backup("dir");
    await a.restore("dir", { targetTimeMicros: BigInt(time) });
    // A token of the host that did not restore, of before: its page would be of another history.
    await expect(
      b.host.documents.list({ ...page, ...(nextPageToken && { pageToken: nextPageToken }) }),
    ).rejects.toMatchObject({ reason: "INDEX_SWITCHED" });
    expect(await b.contents()).toEqual({ x: '{"n":1}' });
    expect(await lineage(b)).toBe(await lineage(a));
    await a.finish(a.host.management.undoRestore({ indexLink }));
    expect(await b.contents()).toEqual({ x: '{"n":2}', y: '{"n":3}' });
    await b.put("z", {});
    expect(await a.contents()).toMatchObject({ z: "{}" });
  });

  test("each answers each request, whoever leads: Xenon's dialect, REST, gRPC and streams", async () => {
    const [a, b] = await twoHosts();
    await a.put("x", { n: 1 });
    const destination = a.uri("dir");
    const begun = await ask(`${urlOf(b)}/v1/backups`, "POST", { destination });
    expect(begun.status).toBe(200);
    const name = String(begun.body["name"]);
    const ended = await ask(`${urlOf(b)}/v1/${name}:wait`, "POST", {});
    expect(ended.body).toMatchObject({ done: true, name });
    expect((await ask(`${urlOf(a)}/v1/${name}`)).body).toMatchObject({ name });
    expect(
      await ask(`${urlOf(b)}/core/management`, "PATCH", {
        ...managementRequest("Backup", { backupType: "DIRECTORY", destination }),
      }),
    ).toMatchObject({ status: 200 });
    // Errors are those of the leader.
    const request = managementRequest("Restore", { source: a.uri("nothing") });
    const refusals = await Promise.all(
      [a, b].map((one) => ask(`${urlOf(one)}/core/management`, "PATCH", request)),
    );
    expect(refusals[0]?.status).toBeGreaterThanOrEqual(400);
    expect(refusals[1]).toEqual(refusals[0]);
    const missing = await ask(`${urlOf(b)}/v1/operations/none`);
    expect(missing.status).toBe(404);
    expect(JSON.stringify(missing.body)).toContain("OPERATION_NOT_FOUND");
    // Query tasks, and their pages at the host that made them.
    const task = await ask(`${urlOf(b)}/core/query-tasks`, "POST", {
      taskInfo: { isDirect: true },
      querySpec: {
        query: {
          term: { propertyName: "documentKind", matchType: "TERM", matchValue: "test:kind" },
        },
        resultLimit: 10,
      },
    });
    expect(task.status).toBe(200);
    const link = String(task.body["documentSelfLink"]);
    expect(link).toContain("/core/query-tasks/");
    const { results } = task.body as { results?: { nextPageLink?: string } };
    for (const fixture of [a, b])
      expect((await ask(`${urlOf(fixture)}${results?.nextPageLink ?? ""}`)).body).toMatchObject({
        results: { documentLinks: ["/things/x"] },
      });
    // Streams in both directions, over gRPC and as plain HTTP.
    const { grpcAddress } = b.host;
    const connection = connectToHost({
      address: { host: "127.0.0.1", port: grpcAddress.port, tls: false },
    });
    try {
      const client = createClient(ManagementService, connection.transport);
      const chunks: Uint8Array[] = [];
      let transfer = "";
      for await (const { data, offset } of sent(client)) {
        expect(Number(offset)).toBe(chunks.reduce((sum, one) => sum + one.length, 0));
        chunks.push(data);
      }
      const archive = Buffer.concat(chunks);
      expect(archive.subarray(0, 2).toString()).toBe("PK");
      await b.put("x", { n: "wrong" });
      const path = join(b.root, "archive.zip");
      writeFileSync(path, archive);
      const uploaded = await fetch(`${urlOf(b)}/v1/transfers/mine`, {
        method: "PUT",
        body: archive,
        headers: { "content-type": "application/octet-stream" },
      });
      expect(uploaded.status).toBe(200);
      transfer = "transfer:mine";
      const restored = await ask(`${urlOf(b)}/core/management`, "PATCH", {
        ...managementRequest("Restore", { destination: transfer }),
      });
      expect([restored.status, JSON.stringify(restored.body)]).toEqual([200, expect.anything()]);
      expect(await a.contents()).toEqual({ x: '{"n":1}' });
    } finally {
      connection.close();
    }
    // What a host says of itself, with what the leader knows of the backups.
    const { body: host } = await ask(`${urlOf(b)}/v1/host`);
    expect(host).toMatchObject({
      id: "b",
      backupsHealthy: true,
      engine: {
        name: "postgres",
        database: { reachable: true, leader: "a", peers: [{ id: "a" }, { id: "b", alive: true }] },
      },
    });
    expect(host["backups"]).not.toEqual([]);
    expect(host["autoBackupDestination"]).toContain(a.root);
    const status = await runToEnd(["status"], {
      env: { HOLDFAST_ADDRESS: `127.0.0.1:${grpcAddress.port}` },
    });
    expect(status.output).toMatch(/database +postgres.* led by a/);
    expect(status.output).toMatch(/\ba +localhost:\d+ /);
    const metrics = await (await fetch(`${urlOf(b)}/metrics`)).text();
    expect(metrics).toMatch(/holdfast_leader\{database="[^"]+"\} 0/);
    expect(metrics).toMatch(/holdfast_host_last_seen_seconds\{host="a"\} /);
    expect(await (await fetch(`${urlOf(a)}/metrics`)).text()).toMatch(
      /holdfast_leader\{database="[^"]+"\} 1/,
    );
  }, 60_000);

  async function* sent(client: ReturnType<typeof createClient<typeof ManagementService>>) {
    for await (const { message } of client.streamBackup({ indexLink }))
      if (message.case === "chunk") yield message.value;
  }

  test("another host leads when the leader stops, and knows its operations and policies", async () => {
    const [a, b] = await twoHosts();
    const destination = a.uri("shared");
    await a.host.policies.create(policySpec(a, { destination }));
    await a.put("x", { n: 1 });
    const { id } = a.host.policies.run("daily", "BACKUP");
    await eventually(async () =>
      (await a.host.policies.runs("daily", 9)).runs.find(
        (one) => one.id === id && one.state === "SUCCEEDED",
      ),
    );
    const operations = a.host.operations.list(10).operations.map(({ name }) => name);
    expect(operations.length).toBeGreaterThan(0);
    const known = await a.host.policies.get("daily");
    await a.stop();
    await eventually(() => leads(b));
    expect(b.host.operations.list(10).operations.map(({ name }) => name)).toEqual(operations);
    const taken = await b.host.policies.get("daily");
    expect(taken.policy).toEqual(known.policy);
    expect(taken.progress).toEqual(known.progress);
    expect((await b.host.policies.runs("daily", 9)).runs).toMatchObject([{ id }]);
    await b.put("x", { n: 2 });
    // It continues the chain.
    const { bytesWritten, backup } = await b.finish<{
      bytesWritten: number;
      backup: { segments: number };
    }>(b.host.management.backup({ destination, container: "DIRECTORY", indexLink }));
    expect(backup).toBeDefined();
    expect(bytesWritten).toBeGreaterThan(0);
    // The first one comes back, and does not lead.
    await a.restart();
    expect(leads(a)).toBe(false);
    expect(await a.contents()).toEqual({ x: '{"n":2}' });
  });

  test("a continuous policy follows the writes of all hosts", async () => {
    const [a, b] = await twoHosts();
    await a.host.policies.create(policySpec(a, { schedule: { kind: "continuous" } }));
    const covered = async (time: number) => {
      const { progress, uris } = await a.host.policies.get("daily");
      return (progress.destinations[uris[0] ?? ""]?.positionMicros ?? 0) >= time;
    };
    for (let n = 0; n < 3; n += 1) {
      const time = await b.put("x", { n });
      const begun = performance.now();
      await eventually(() => covered(time));
      // The first backup is a base.
      if (n > 0) expect(performance.now() - begun).toBeLessThan(5000);
    }
    await expect(
      a.host.policies.create(
        policySpec(a, {
          name: "held",
          destination: a.uri("held"),
          schedule: { kind: "continuous" },
          acknowledge: "COPIED",
        }),
      ),
    ).rejects.toMatchObject({ metadata: { field: "acknowledge" } });
  });

  test("a host with the id of another one is refused, and one that was killed comes back at once", async () => {
    const schema = newSchema();
    const start = (directory: string, more: string[] = []) =>
      serve([
        ...["--engine", "postgres", "--postgres-url", server.url, "--postgres-schema", schema],
        ...["--data-dir", directory, "--id", "same", ...more],
      ]);
    const directory = temporaryDirectory();
    const first = await start(directory);
    const other = await runToEnd([
      ...["serve", "--engine", "postgres", "--postgres-url", server.url],
      ...["--postgres-schema", schema, "--data-dir", temporaryDirectory(), "--id", "same"],
      ...["--http-port", "0", "--grpc-port", "0"],
    ]);
    expect([other.code, other.log]).toEqual([78, expect.stringContaining("with the id same")]);
    await first.stop("SIGKILL");
    const begun = performance.now();
    const again = await start(directory);
    // It leads again, at once.
    expect((await ask(`${again.url}/v1/operations`)).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(8000);
  }, 60_000);

  test("roles hold whichever host is asked", async () => {
    const tokens = ["reader-0123456789abcdef read", "admin-0123456789abcdef admin,read,backup"];
    const [, b] = await twoHosts({
      tokens: tokens.join("\n"),
      backupRoots: [temporaryDirectory()],
    });
    const as = (token: string) => ({ authorization: `Bearer ${token}-0123456789abcdef` });
    const get = (token: string) => ask(`${urlOf(b)}/v1/operations`, "GET", undefined, as(token));
    expect((await get("reader")).status).toBe(200);
    expect((await get("nobody")).status).toBe(401);
    const refused = await ask(
      `${urlOf(b)}/core/management`,
      "PATCH",
      managementRequest("Backup", { destination: "file:///x", backupType: "DIRECTORY" }),
      as("reader"),
    );
    expect(refused.status).toBe(403);
  });

  test("a token for one index gets no other one by a call that begins before a change of the leader", async () => {
    const tokens = [
      "limited-0123456789abcdef read,backup index=/core/in-memory-document-index",
      "admin-0123456789abcdef admin",
    ];
    const [a, b] = await twoHosts({
      tokens: tokens.join("\n"),
      backupRoots: [temporaryDirectory()],
    });
    await a.put("x", { n: "secret" });
    const message = Buffer.from(JSON.stringify({ indexLink }));
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    const { port } = b.host.httpAddress;
    const call = request({
      ...{ host: "127.0.0.1", port, method: "POST" },
      path: "/holdfast.management.v1.ManagementService/StreamBackup",
      headers: {
        "content-type": "application/connect+json",
        "connect-protocol-version": "1",
        authorization: "Bearer limited-0123456789abcdef",
        "content-length": envelope.length,
      },
    });
    const answered = new Promise<string>((resolve, reject) => {
      call.once("error", reject);
      call.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => resolve(Buffer.concat(chunks).toString("latin1")));
      });
    });
    call.flushHeaders();
    await sleep(300);
    await a.stop();
    await eventually(() => leads(b));
    call.end(envelope);
    const answer = await answered;
    expect(answer).toMatch(/INDEX_NOT_ALLOWED|LEADER_UNAVAILABLE|OUTCOME_UNKNOWN/);
    expect(answer).not.toContain('"header"');
  });

  test("a leader that is killed under load loses no acknowledged write, and another one leads within 15 s", async () => {
    const schema = newSchema();
    const shared = temporaryDirectory();
    const start = (id: string) =>
      serve([
        ...["--engine", "postgres", "--postgres-url", server.url, "--postgres-schema", schema],
        ...["--data-dir", temporaryDirectory(), "--id", id],
      ]);
    const [a, b] = [await start("a"), await start("b")];
    const acknowledged = new Map<string, string>();
    let stop = false;
    const load = (host: ServedHost, writer: string) =>
      (async () => {
        for (let n = 0; !stop; n += 1) {
          const name = `${writer}-${n}`;
          const answer = await ask(`${host.url}/core/examples`, "POST", {
            documentSelfLink: name,
            name,
          }).catch(() => undefined);
          if (answer?.status === 200) acknowledged.set(`/core/examples/${name}`, name);
          else if (host === a && a.process.exitCode === null && a.process.signalCode === null)
            await sleep(10);
          else if (host === a) return;
        }
      })();
    const writers = [
      ...Array.from({ length: 4 }, (_, i) => load(a, `a${i}`)),
      ...Array.from({ length: 4 }, (_, i) => load(b, `b${i}`)),
    ];
    await sleep(1500);
    const begun = ask(`${b.url}/v1/backups`, "POST", { destination: `file://${shared}/dir` });
    await begun;
    await a.stop("SIGKILL");
    const killed = performance.now();
    const before = acknowledged.size;
    await eventually(async () => (await ask(`${b.url}/v1/operations`)).status === 200);
    expect(performance.now() - killed).toBeLessThan(15_000);
    await sleep(500);
    stop = true;
    await Promise.all(writers);
    // The other host wrote on while nobody led.
    expect(acknowledged.size).toBeGreaterThan(before);
    // No operation of the killed host is left running.
    const { body } = await ask(`${b.url}/v1/operations`);
    expect(body["operations"]).toMatchObject([{ done: true }]);
    const { body: factory } = await ask(`${b.url}/core/examples`);
    const found = new Set(factory["documentLinks"] as string[]);
    const lost = [...acknowledged.keys()].filter((link) => !found.has(link));
    expect(lost.slice(0, 5)).toEqual([]);
    // The host that is left backs up.
    const done = await runToEnd(["backup", join(shared, "after"), "--quiet"], {
      env: { HOLDFAST_ADDRESS: b.grpc },
    });
    expect(done.code).toBe(0);
  }, 90_000);
});
