import { readdirSync, truncateSync, statSync } from "node:fs";
import { join } from "node:path";
import type { IndexPointInTime } from "../../src/backup/point-in-time.js";
import type { FileSystem } from "../../src/io/file-system.js";
import { systemPlatform } from "../../src/io/platform.js";
import type { OpenedDescription } from "../../src/backup/opened-description.js";
import { limits } from "../../src/limits.js";
import { eventually } from "../support/eventually.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { long } from "../support/long.js";
import { ask } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Backups and points in time that are open as read-only indexes. */

const indexLink = "/core/document-index";
const hour = 3600_000_000;

const open = (
  fixture: HostFixture,
  pointInTime: Partial<IndexPointInTime> = {},
  lifetimeMicros = hour,
): Promise<OpenedDescription> =>
  fixture.finish(
    fixture.host.management.openBackup({
      pointInTime: { indexLink, ...pointInTime },
      lifetimeMicros,
    }),
  );
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => "",
    (error: { reason: string }) => error.reason,
  );
/** Names and bodies in an opened index. */
async function contents({ host }: HostFixture, link: string): Promise<Record<string, string>> {
  const { documents } = await host.documents.list({ factoryPath, expand: true, indexLink: link });
  return Object.fromEntries(
    documents.map((one) => [one.link.slice(factoryPath.length + 1), one.body]),
  );
}
/** Files that opened indexes have left. */
const leftovers = ({ root }: HostFixture) => readdirSync(join(root, "data", "temporary"));

let server: PostgresServer | undefined;
let schemas = 0;
const engines = ["sqlite", ...(havePostgres && long ? ["postgres"] : [])];
beforeAll(async () => {
  if (havePostgres) server = await startPostgres();
});
const start = (engine: string, more: Parameters<typeof hostFixture>[0] = {}) =>
  hostFixture({
    ...(engine === "postgres" && {
      postgres: { url: server?.url ?? "", schema: `opened_${(schemas += 1)}` },
    }),
    ...more,
  });

describe.each(engines)("on %s", (engine) => {
  test("a backup is read beside the live index: listed, its versions, compared, counted, exported", async () => {
    const fixture = await start(engine);
    await fixture.put("a", { n: 1 });
    await fixture.put("a", { n: 2 });
    await fixture.put("b", { n: 1 });
    await fixture.backup("backups");
    await fixture.put("a", { n: 3 });
    await fixture.host.documents.delete(`${factoryPath}/b`);
    const opened = await open(fixture, { uri: fixture.uri("backups") });
    expect(opened).toMatchObject({ documents: 2, versions: 3, sourceIndexLink: indexLink });
    const { documents, management, control } = fixture.host;
    expect((await management.host()).opened).toEqual([opened]);
    expect(await contents(fixture, opened.link)).toEqual({ a: '{"n":2}', b: '{"n":1}' });
    expect((await documents.listVersions("/things/a", 10, undefined, opened.link)).length).toBe(2);
    expect((await documents.getVersion(opened.link, "/things/b")).action).toBe("POST");
    const compared = await documents.compareVersions(
      "/things/a",
      { indexLink: opened.link },
      { indexLink },
    );
    expect(compared.differences).toEqual([{ path: "/n", from: "2", to: "3" }]);
    const deletion = await documents.compareVersions(
      "/things/b",
      { indexLink: opened.link },
      { indexLink },
    );
    expect(deletion).toMatchObject({ to: { action: "DELETE" }, differences: [{ path: "/n" }] });
    const { buckets } = await control.activity(opened.link, {});
    expect(buckets.reduce((sum, { created }) => sum + created, 0)).toBe(2);
    const summary: unknown[] = [];
    for await (const one of management.inspection.diff(
      { indexLink: opened.link },
      { indexLink },
      undefined,
      new AbortController().signal,
    ))
      summary.push(one);
    expect(summary.at(-1)).toMatchObject({ changed: 1, deleted: 1, unchanged: 0 });
    // A restore of the live index and its undo do not touch it.
    await fixture.restore("backups");
    await fixture.finish(management.undoRestore({ indexLink }));
    expect(await contents(fixture, opened.link)).toEqual({ a: '{"n":2}', b: '{"n":1}' });
    await management.closeBackup(opened.link);
    expect(await reasonOf(contents(fixture, opened.link))).toBe("INDEX_NOT_FOUND");
    expect(await reasonOf(management.closeBackup(opened.link))).toBe("INDEX_NOT_FOUND");
    expect(leftovers(fixture)).toEqual([]);
  }, 60_000);

  test("a point in time of the live index, and one of a backup, an archive and an encrypted one", async () => {
    const fixture = await start(engine);
    const before = await fixture.put("a", { n: 1 });
    await fixture.put("a", { n: 2 });
    await fixture.put("b", {});
    await fixture.backup("backups");
    await fixture.backup("one.zip", { container: "ZIP" });
    const passphrase = "correct horse battery staple";
    await fixture.backup("secret", { encryption: { encryptTo: { passphrase } } });
    const at = { targetTimeMicros: BigInt(before) };
    const decryptWith = { passphrase, identities: "" };
    const all: Partial<IndexPointInTime>[] = [
      at,
      { uri: fixture.uri("backups"), ...at },
      { uri: fixture.uri("one.zip"), ...at },
      { uri: fixture.uri("secret"), decryptWith, ...at },
    ];
    for (const pointInTime of all) {
      const opened = await open(fixture, pointInTime);
      expect(opened.targetTimeMicros).toBe(before);
      expect(await contents(fixture, opened.link)).toEqual({ a: '{"n":1}' });
    }
    expect(await reasonOf(open(fixture, { targetTimeMicros: 5n }))).toBe(
      "TARGET_TIME_OUT_OF_RANGE",
    );
    expect((await fixture.host.management.host()).opened).toHaveLength(4);
    await fixture.stop();
    expect(leftovers(fixture)).toEqual([]);
  }, 60_000);
});

test("it closes when its time is over, and a reader that has begun reads to the end", async () => {
  const fixture = await hostFixture();
  for (let n = 0; n < 20; n += 1) await fixture.put(`d${n}`, { text: "x".repeat(200_000) });
  const { link } = await open(fixture, {}, 1_500_000);
  const exported = fixture.host.management.inspection.export(
    { indexLink: link },
    undefined,
    new AbortController().signal,
  );
  await exported.next();
  await eventually(async () => (await fixture.host.management.host()).opened.length === 0);
  let count = 1;
  for await (const one of exported) count += one.link === "" ? 0 : 1;
  expect(count).toBe(20);
  await eventually(() => Promise.resolve(leftovers(fixture).length === 0));
}, 60_000);

test("their number and their space are bounded, and what is refused leaves nothing", async () => {
  const fixture = await hostFixture({ openedBytes: 3_000_000 });
  await fixture.put("a", { text: "x".repeat(1_000_000) });
  await fixture.backup("backups");
  const first = await open(fixture, { uri: fixture.uri("backups") });
  await expect(open(fixture, { uri: fixture.uri("backups") })).resolves.toBeDefined();
  await expect(open(fixture, { uri: fixture.uri("backups") })).rejects.toMatchObject({
    reason: "STORAGE_FULL",
    message: expect.stringContaining("--opened-space"),
  });
  await expect(open(fixture)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  await fixture.host.management.closeBackup(first.link);
  const second = await hostFixture();
  const all = await Promise.allSettled(
    Array.from({ length: limits.openedIndexes + 2 }, () => open(second)),
  );
  const reasons = all.map((one) =>
    one.status === "rejected" ? (one.reason as { reason: string }).reason : "",
  );
  expect(reasons.filter((reason) => reason === "OPERATION_LIMIT")).toHaveLength(2);
  expect(reasons.filter((reason) => reason === "")).toHaveLength(limits.openedIndexes);
}, 60_000);

test("space that must remain free is left, and builds at once share what is left", async () => {
  let free = Number.MAX_SAFE_INTEGER;
  const files = new Proxy(systemPlatform.files, {
    get(target, key: keyof FileSystem) {
      if (key === "freeBytes") return () => Promise.resolve(free);
      const member: unknown = target[key];
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const fixture = await hostFixture({ platform: { ...systemPlatform, files } });
  await fixture.put("a", { text: "x".repeat(3_000_000) });
  await fixture.backup("backups");
  const source = { uri: fixture.uri("backups") };
  free = limits.openedReserveBytes + 3_000_000;
  await expect(open(fixture, source)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  free = limits.openedReserveBytes + 7_000_000;
  const both = await Promise.allSettled([open(fixture, source), open(fixture, source)]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  // The size of what was written last is known once it is copied.
  free = limits.openedReserveBytes + 4_000_000;
  await expect(open(fixture)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
}, 60_000);

test("one that is closed under a reader takes its place until the reader has ended", async () => {
  const fixture = await hostFixture({ openedBytes: 12_000_000 });
  for (let n = 0; n < 20; n += 1) await fixture.put(`d${n}`, { text: "x".repeat(200_000) });
  await fixture.backup("backups");
  const source = { uri: fixture.uri("backups") };
  const { link } = await open(fixture, source);
  await open(fixture, source);
  const { management } = fixture.host;
  const stalled = management.inspection.export(
    { indexLink: link },
    undefined,
    new AbortController().signal,
  );
  await stalled.next();
  const begun = performance.now();
  await management.closeBackup(link);
  expect(performance.now() - begun).toBeLessThan(limits.openedCloseWaitMs + 5_000);
  expect((await management.host()).opened).toHaveLength(1);
  expect(leftovers(fixture)).toHaveLength(2);
  await expect(open(fixture, source)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  await stalled.return(undefined);
  await eventually(() => Promise.resolve(leftovers(fixture).length === 1));
  await open(fixture, source);
}, 60_000);

test("the next page of a query ends with its index", async () => {
  const fixture = await hostFixture();
  for (let n = 0; n < 5; n += 1) await fixture.put(`d${n}`, {});
  const { link } = await open(fixture);
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}`;
  const query = { term: { propertyName: "documentKind", matchValue: "test:kind" } };
  const task = await ask(`${url}/core/query-tasks`, "POST", {
    taskInfo: { isDirect: true },
    querySpec: { query, resultLimit: 2 },
    indexLink: link,
  });
  const { nextPageLink } = task.body["results"] as { nextPageLink: string };
  await fixture.host.management.closeBackup(link);
  const page = await ask(`${url}${nextPageLink}`);
  expect({ status: page.status, message: page.body["message"] }).toEqual({
    status: 404,
    message: `Service not found: ${link}`,
  });
}, 60_000);

test("one of another host is listed without its factory", async () => {
  const other = await hostFixture({
    factories: [{ path: "/elsewhere", kind: "k", indexLink }],
  });
  await other.host.documents.create("/elsewhere", '{"documentSelfLink":"a"}');
  await other.backup("backups");
  const fixture = await hostFixture();
  const opened = await open(fixture, { uri: other.uri("backups") });
  const { documents } = await fixture.host.documents.list({
    factoryPath: "/elsewhere",
    expand: false,
    indexLink: opened.link,
  });
  expect(documents.map(({ link }) => link)).toEqual(["/elsewhere/a"]);
}, 60_000);

test("a page token is of one listing: of its time, its document and its index", async () => {
  const fixture = await hostFixture();
  for (let n = 0; n < 4; n += 1) await fixture.put(`d${n}`, {});
  for (let n = 0; n < 3; n += 1) await fixture.put("d0", { n });
  const { link } = await open(fixture);
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}/v1/documents`;
  const now = Date.now() * 1000;
  const page = async (path: string) => (await ask(`${url}${path}`)).body;
  const list = `?factory_link=/things&page_size=2&time_micros=${now}`;
  const token = String((await page(list))["nextPageToken"]);
  expect((await page(`${list}&page_token=${token}`))["documents"]).toHaveLength(2);
  const later = `?factory_link=/things&page_size=2&time_micros=${now + 1}&page_token=${token}`;
  expect(await page(later)).toMatchObject({
    message: expect.stringMatching(/another factory, filter, order or time/),
  });
  const versions = "/things/d0:versions?page_size=2";
  const next = String((await page(versions))["nextPageToken"]);
  expect((await page(`${versions}&page_token=${next}`))["versions"]).toHaveLength(2);
  for (const other of [
    `/things/d1:versions?page_token=${next}`,
    `${versions}&index_link=${link}&page_token=${next}`,
  ])
    expect((await ask(`${url}${other}`)).status).toBe(400);
}, 60_000);

test("a repeated request is the same one only with the same times", async () => {
  const { host } = await hostFixture();
  const request = { pointInTime: { indexLink }, lifetimeMicros: hour, requestId: "one" };
  const { name } = await host.management.openBackup(request);
  expect((await host.management.openBackup(request)).name).toBe(name);
  await expect(
    host.management.openBackup({ ...request, lifetimeMicros: 2 * hour }),
  ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
});

test("large bodies are compared aside, while other requests are answered", async () => {
  const fixture = await hostFixture();
  const body = (c: number) =>
    `{"documentSelfLink":"deep","r":${'{"a":'.repeat(150)}{"b":[${Array(1_000_000).fill('""').join(",")}],"c":${c}}${"}".repeat(150)}}`;
  const { documents } = fixture.host;
  await documents.create(factoryPath, body(1));
  await documents.replace("/things/deep", body(2));
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const { differences } = await documents.compareVersions("/things/deep", undefined, { indexLink });
  clearInterval(timer);
  expect(differences).toHaveLength(1);
  expect(longest).toBeLessThan(1_000);
}, 60_000);

test("a damaged backup is not opened", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { text: "x".repeat(100_000) });
  await fixture.backup("backups");
  const path = join(fixture.root, "backups");
  const [segment = ""] = readdirSync(path).filter((name) => name.includes("sqlite"));
  truncateSync(join(path, segment), statSync(join(path, segment)).size - 4096);
  expect(await reasonOf(open(fixture, { uri: fixture.uri("backups") }))).toBe("BACKUP_DAMAGED");
  expect(leftovers(fixture)).toEqual([]);
  expect((await fixture.host.management.host()).opened).toEqual([]);
});

test("nothing writes to it: no backup, restore, undo, check or document", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", {});
  await fixture.backup("backups");
  const { link } = await open(fixture);
  const { management } = fixture.host;
  const refused = [
    management.backup({ destination: fixture.uri("x"), container: "DIRECTORY", indexLink: link }),
    management.restore({ source: fixture.uri("backups"), indexLink: link }),
    management.undoRestore({ indexLink: link }),
    management.checkIndex(link),
  ];
  for (const work of refused)
    await expect(work).rejects.toMatchObject({
      reason: "INDEX_NOT_FOUND",
      message: expect.stringContaining("reading only"),
    });
});

(havePostgres ? test : test.skip)(
  "a host that does not lead reads what the leader has open, and opens it there",
  async () => {
    const postgres = { url: server?.url ?? "", schema: `opened_${(schemas += 1)}` };
    const a = await hostFixture({ postgres, id: "a" }, temporaryDirectory());
    const b = await hostFixture({ postgres, id: "b" }, temporaryDirectory());
    await a.put("one", { n: 1 });
    const url = `http://127.0.0.1:${b.host.httpAddress.port}`;
    const { body } = await ask(`${url}/v1/indexes:open`, "POST", {});
    await eventually(async () => (await ask(`${url}/v1/${String(body["name"])}`)).body["done"]);
    const host = (await ask(`${url}/v1/host`)).body as { openedIndexes: { indexLink: string }[] };
    const link = host.openedIndexes[0]?.indexLink ?? "";
    await a.put("one", { n: 2 });
    for (const path of [
      `/v1/documents?factory_link=/things&index_link=${link}`,
      `/v1/documents/things/one:version?index_link=${link}`,
      `/v1/documents/things/one:versions?index_link=${link}`,
      `/v1/indexes:activity?index_link=${link}`,
    ])
      expect({ path, status: (await ask(`${url}${path}`)).status }).toEqual({ path, status: 200 });
    const compared = await ask(`${url}/v1/documents/things/one:compare?from.index_link=${link}`);
    expect(compared.body["differences"]).toEqual([{ path: "/n", fromJson: "1", toJson: "2" }]);
    expect((await ask(`${url}/v1/indexes:close`, "POST", { indexLink: link })).status).toBe(200);
    expect(a.host.httpAddress.port).not.toBe(b.host.httpAddress.port);
  },
  60_000,
);
