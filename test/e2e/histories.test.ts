import { cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { strayFiles } from "../support/whole-backup.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Backups of data directories that are copied, reset to an earlier state, or share a destination. */
const indexLink = "/core/document-index";

async function pad(fixture: HostFixture, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await fixture.put(`f${i}`, { i, pad: "x".repeat(2000) });
}

test("two hosts on copies of one data directory keep separate chains in one destination", async () => {
  const a = await hostFixture();
  const destination = join(temporaryDirectory(), "dir");
  const backup = (fixture: HostFixture) =>
    fixture.finish(
      fixture.host.management.backup({
        destination: `file:${destination}`,
        container: "DIRECTORY",
        indexLink,
      }),
    );
  const names = async () =>
    (await a.host.management.listBackups(`file:${destination}`)).map(({ name }) => name);
  await pad(a, 40);
  await backup(a);
  await a.stop();
  const otherRoot = temporaryDirectory();
  cpSync(join(a.root, "data"), join(otherRoot, "data"), { recursive: true });
  await a.restart();
  const b = await hostFixture({}, otherRoot);
  await b.put("f1", { b: 1 });
  await a.put("f2", { a: 1 });
  await backup(a);
  const [ofA = ""] = await names();
  await b.put("f3", { b: 2 });
  await backup(b);
  const expected = { a: await a.contents(), b: await b.contents() };
  expect(await names()).toContain(ofA);
  await b.finish(b.host.management.restore({ source: `file:${destination}`, indexLink }));
  expect(await b.contents()).toEqual(expected.b);
  await a.finish(
    a.host.management.restore({ source: `file:${destination}`, indexLink, manifest: ofA }),
  );
  expect(await a.contents()).toEqual(expected.a);
  expect(await strayFiles(destination)).toEqual([]);
});

test("starts a new base after the data directory was reset, and keeps the chain of the abandoned history", async () => {
  const fixture = await hostFixture();
  await pad(fixture, 40);
  await fixture.backup("dir");
  await fixture.stop();
  cpSync(join(fixture.root, "data"), join(fixture.root, "copy"), { recursive: true });
  await fixture.restart();
  await fixture.put("f1", { future: "lost" });
  const future = await fixture.contents();
  const lost = (await fixture.backup("dir")).backup;
  await fixture.stop();
  rmSync(join(fixture.root, "data"), { recursive: true });
  renameSync(join(fixture.root, "copy"), join(fixture.root, "data"));
  await fixture.restart();
  await fixture.put("f1", { future: "other" });
  await fixture.put("f3", { future: "other" });
  const now = await fixture.contents();
  const { backup } = await fixture.backup("dir");
  expect(backup.segments.map(({ kind }) => kind)).toEqual(["base"]);
  await fixture.put("f1", {});
  await fixture.restore("dir");
  expect(await fixture.contents()).toEqual(now);
  await fixture.restore("dir", { manifest: lost.name });
  expect(await fixture.contents()).toEqual(future);
});

test("extends a chain whose last version was compacted", async () => {
  const fixture = await hostFixture({ retainedVersions: 2, historyMs: 0 });
  await pad(fixture, 20);
  await fixture.put("hot", { n: 0 });
  await fixture.backup("dir");
  for (let n = 1; n < 6; n += 1) await fixture.put("hot", { n });
  await eventually(
    async () => (await fixture.host.documents.listVersions("/things/hot", 10)).length <= 2,
  );
  const { backup } = await fixture.backup("dir");
  expect(backup.segments.map(({ kind }) => kind)).toEqual(["base", "delta"]);
  await fixture.put("hot", {});
  await fixture.restore("dir");
  expect((await fixture.contents())["hot"]).toBe('{"n":5}');
});

test("restores each of two indexes from a shared destination", async () => {
  const fixture = await hostFixture();
  const memory = "/core/in-memory-document-index";
  const { documents } = fixture.host;
  await documents.create("/memory-things", '{"documentSelfLink":"m","in":"memory"}');
  await fixture.put("d", { in: "durable" });
  for (const order of [
    [memory, indexLink],
    [indexLink, memory],
  ]) {
    for (const link of order) await fixture.backup("dir", { indexLink: link });
    await documents.delete("/memory-things/m");
    await fixture.host.documents.delete("/things/d");
    await fixture.restore("dir", { indexLink: memory, indexNamed: true });
    await fixture.restore("dir", {});
    expect((await documents.get("/memory-things/m")).body).toBe('{"in":"memory"}');
    expect(await fixture.contents()).toEqual({ d: '{"in":"durable"}' });
  }
});

test("rejects a destination inside the data directory", async () => {
  const fixture = await hostFixture();
  await fixture.put("d", {});
  const data = join(fixture.root, "data");
  const before = readdirSync(data);
  for (const name of [
    "data/lock.sqlite",
    "data",
    "data/temporary/x.zip",
    "data/document-index",
    "data/new",
  ]) {
    for (const container of ["ZIP", "DIRECTORY"] as const) {
      await expect(fixture.backup(name, { container })).rejects.toMatchObject({
        reason: "DESTINATION_OCCUPIED",
      });
    }
  }
  expect(readdirSync(data)).toEqual(before);
  await fixture.backup("data/auto-backup");
  await fixture.restart();
});

test("rejects a file as the destination of a STREAM backup", async () => {
  const { host } = await hostFixture();
  await expect(
    host.management.backup({ destination: "file:/tmp/x", container: "STREAM", indexLink }),
  ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("never serves, merges or backs up a document with a flipped bit, and removes partial files", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { fine: true });
  await fixture.put("b", { fine: true });
  await fixture.stop();
  const index = join(fixture.root, "data", "document-index");
  const db = new Database(
    join(
      index,
      readdirSync(index).find((name) => name.startsWith("generation-")) ?? "",
      "index.sqlite",
    ),
  );
  db.prepare("UPDATE log SET body = '{\"fine\":1234}' WHERE link = '/things/b'").run();
  db.close();
  await fixture.restart();
  const { documents } = fixture.host;
  const bad = { reason: "INDEX_DAMAGED", message: expect.stringContaining("/things/b") as string };
  await expect(documents.get("/things/b")).rejects.toMatchObject(bad);
  await expect(documents.patch("/things/b", '{"more":1}')).rejects.toMatchObject(bad);
  await expect(documents.delete("/things/b")).rejects.toMatchObject(bad);
  expect((await documents.get("/things/a")).body).toBe('{"fine":true}');
  await expect(fixture.backup("dir")).rejects.toMatchObject({
    reason: "INDEX_DAMAGED",
    message: expect.stringContaining("older backups are unchanged") as string,
  });
  expect(existsSync(join(fixture.root, "dir"))).toBe(false);
  expect((await documents.replace("/things/b", '{"fine":"again"}')).version).toBe(1);
});
