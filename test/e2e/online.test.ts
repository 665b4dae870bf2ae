import { readdirSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import type { RestoreResult, UndoRequest } from "../../src/backup/restore-request.js";
import { hostFixture } from "../support/host-fixture.js";
import { readWholeBackup, strayFiles } from "../support/whole-backup.js";

/** Backups and restores while clients read and write. */

test("a backup under load includes all writes acknowledged before it, and no write of a client without its earlier ones", async () => {
  const fixture = await hostFixture();
  const writers = 16;
  const acknowledged = Array.from({ length: writers }, () => 0);
  let stop = false;
  const load = Promise.all(
    acknowledged.map(async (_, writer) => {
      for (let n = 1; !stop; n += 1) {
        await fixture.host.documents.create(
          "/things",
          JSON.stringify({ documentSelfLink: `w${writer}-${n}`, writer, n }),
        );
        acknowledged[writer] = n;
      }
    }),
  );
  await eventually(() => acknowledged.every((n) => n > 0));
  const floors: number[][] = [];
  for (const name of ["dir", "dir", "b.zip", "dir"]) {
    floors.push([...acknowledged]);
    await fixture.backup(name, { container: name === "dir" ? "DIRECTORY" : "ZIP" });
  }
  stop = true;
  await load;
  for (const [name, floor] of [
    ["dir", floors[3]],
    ["b.zip", floors[2]],
  ] as const) {
    await fixture.restore(name);
    const restored = Object.keys(await fixture.contents());
    for (let writer = 0; writer < writers; writer += 1) {
      const numbers = restored
        .filter((key) => key.startsWith(`w${writer}-`))
        .map((key) => Number(key.split("-")[1]))
        .sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
      expect(numbers.length).toBeGreaterThanOrEqual(floor?.[writer] ?? 0);
    }
  }
});

test("during a restore reads never fail or mix lineages, and writes are refused only within the fence", async () => {
  const fixture = await hostFixture();
  const count = 3000;
  const all = (state: string) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        fixture.host.documents[state === "one" ? "create" : "replace"](
          state === "one" ? "/things" : `/things/d${i}`,
          JSON.stringify({ ...(state === "one" && { documentSelfLink: `d${i}` }), state }),
        ),
      ),
    );
  await all("one");
  await fixture.backup("dir");
  await all("two");
  let stop = false;
  const mixed: string[] = [];
  let listings = 0;
  const reader = (async () => {
    while (!stop) {
      const { documents } = await fixture.host.documents.list({
        factoryPath: "/things",
        expand: true,
        limit: 5000,
      });
      const states = new Set(
        documents.map(({ body }) => (JSON.parse(body) as { state: string }).state),
      );
      if (documents.length !== count || states.size !== 1)
        mixed.push(`${documents.length} ${[...states].join()}`);
      await fixture.host.documents.get("/things/d7");
      listings += 1;
    }
  })();
  const refusals = new Set<string>();
  let refusedFor = 0;
  const writer = (async () => {
    let refusedSince: number | undefined;
    while (!stop) {
      try {
        await fixture.host.documents.create("/memory-things", "{}");
        await fixture.host.documents.create("/core/examples", '{"name":"w"}');
        if (refusedSince !== undefined)
          refusedFor = Math.max(refusedFor, performance.now() - refusedSince);
        refusedSince = undefined;
      } catch (error) {
        refusals.add((error as { reason: string }).reason);
        refusedSince ??= performance.now();
      }
      // Leaves the event loop to the restore and the reader.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  await fixture.restore("dir");
  stop = true;
  await Promise.all([reader, writer]);
  expect(mixed).toEqual([]);
  expect(listings).toBeGreaterThan(2);
  expect([...refusals].filter((reason) => reason !== "INDEX_RESTORING")).toEqual([]);
  expect(refusedFor).toBeLessThan(20_000);
  expect((await fixture.host.documents.get("/things/d7")).body).toBe('{"state":"one"}');
});

test("rejects a page token of another lineage", async () => {
  const fixture = await hostFixture();
  for (let i = 0; i < 5; i += 1) await fixture.put(`d${i}`, {});
  await fixture.backup("dir");
  const { nextPageToken = "" } = await fixture.host.documents.list({
    factoryPath: "/things",
    expand: true,
    limit: 2,
  });
  await fixture.restore("dir");
  await expect(
    fixture.host.documents.list({
      factoryPath: "/things",
      expand: true,
      limit: 2,
      pageToken: nextPageToken,
    }),
  ).rejects.toMatchObject({ code: "ABORTED" });
});

test("rejects a second restore of an index while one runs, and does not affect the other index", async () => {
  const fixture = await hostFixture();
  for (let i = 0; i < 500; i += 1) await fixture.put(`d${i}`, { i });
  await fixture.backup("dir");
  const both = await Promise.allSettled([fixture.restore("dir"), fixture.restore("dir")]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(both.find(({ status }) => status === "rejected")).toMatchObject({
    reason: { reason: "RESTORE_IN_PROGRESS", code: "ABORTED" },
  });
});

test("update times increase over restores and undos", async () => {
  const fixture = await hostFixture();
  const t1 = await fixture.put("a", { n: 1 });
  await fixture.backup("dir");
  const t2 = await fixture.put("a", { n: 2 });
  await fixture.restore("dir", { targetTimeMicros: BigInt(t1) });
  const t3 = await fixture.put("a", { n: 3 });
  await fixture.finish(fixture.host.management.undoRestore({ indexLink: "/core/document-index" }));
  const t4 = await fixture.put("a", { n: 4 });
  await fixture.restart();
  const t5 = await fixture.put("a", { n: 5 });
  expect(t2).toBeGreaterThan(t1);
  expect(t3).toBeGreaterThan(t2);
  expect(t4).toBeGreaterThan(t3);
  expect(t5).toBeGreaterThan(t4);
});

test("an undo creates a lineage and can itself be undone; rejects an undo without a restore", async () => {
  const fixture = await hostFixture();
  const undo = () =>
    fixture.finish<{ lineage: string }>(
      fixture.host.management.undoRestore({ indexLink: "/core/document-index" }),
    );
  await expect(undo()).rejects.toMatchObject({ reason: "NOTHING_TO_UNDO" });
  await fixture.put("a", { n: 1 });
  await fixture.backup("dir");
  await fixture.put("a", { n: 2 });
  const { lineage } = await fixture.restore("dir");
  const undone = await undo();
  expect(await fixture.contents()).toEqual({ a: '{"n":2}' });
  const again = await undo();
  expect(await fixture.contents()).toEqual({ a: '{"n":1}' });
  expect(new Set([lineage, undone.lineage, again.lineage]).size).toBe(3);
  const state = (await fixture.host.management.host()).indexes[0];
  expect(state?.parents.map((parent) => parent.lineage)).toContain(lineage);
});

test("after a restore starts a new chain beside the old one, which only an explicit prune removes", async () => {
  const fixture = await hostFixture();
  const directory = join(fixture.root, "dir");
  await fixture.put("a", { n: 1 });
  await fixture.backup("dir");
  await fixture.put("a", { n: 2 });
  const old = (await fixture.backup("dir")).backup;
  await fixture.restore("dir");
  await fixture.put("a", { n: 3 });
  const next = (await fixture.backup("dir")).backup;
  expect(next.number).toBe(3);
  expect(next.lineage).not.toBe(old.lineage);
  await fixture.put("a", { n: 4 });
  await fixture.backup("dir");
  const { management } = fixture.host;
  const uri = fixture.uri("dir");
  expect((await management.listBackups(uri)).map(({ backup }) => backup?.number)).toEqual([4, 2]);
  await fixture.restore("dir", { manifest: old.name });
  expect(await fixture.contents()).toEqual({ a: '{"n":2}' });
  await expect(
    management.pruneBackups(uri, ["manifest-0000000009-0123456789abcdef.json"]),
  ).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
  const planned = await management.pruneBackups(uri, [old.name], true);
  expect(readdirSync(directory)).toEqual(expect.arrayContaining(planned.removedFiles));
  const pruned = await management.pruneBackups(uri, [old.name]);
  expect(pruned.removedFiles).toEqual(planned.removedFiles);
  expect(pruned.removedFiles).toHaveLength(4);
  expect(await strayFiles(directory)).toEqual([]);
  expect((await readWholeBackup(directory)).number).toBe(4);
});

test("cancelled backups and restores end soon, remove their files, and do not affect the next ones", async () => {
  const fixture = await hostFixture();
  const pad = "x".repeat(4000);
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) =>
        fixture.host.documents.create(
          "/things",
          JSON.stringify({ documentSelfLink: `d${round}-${i}`, pad }),
        ),
      ),
    );
  }
  const { management, operations } = fixture.host;
  const indexLink = "/core/document-index";
  let cancelledCount = 0;
  const cancelled = async (name: string) => {
    const begun = performance.now();
    await operations.cancel(name);
    expect(performance.now() - begun).toBeLessThan(20_000);
    const { done, error } = operations.get(name);
    expect(done).toBe(true);
    // An operation after its last cancellation point completes.
    if (error) expect(error.code).toBe("CANCELLED");
    if (error) cancelledCount += 1;
  };
  for (const container of ["DIRECTORY", "ZIP"] as const) {
    const name = container === "ZIP" ? "b.zip" : "dir";
    for (const waitMs of [10, 60, 150]) {
      const { name: operation } = await management.backup({
        destination: fixture.uri(name),
        container,
        indexLink,
      });
      // The point of the backup at which it is cancelled.
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (!operations.get(operation).done) await cancelled(operation);
    }
  }
  const left = readdirSync(fixture.root, { recursive: true })
    .map(String)
    .filter((name) => /holdfast-|lease/.test(name));
  expect(left).toEqual([]);
  await fixture.backup("dir");
  for (const waitMs of [30, 200, 400]) {
    const { name } = await management.restore({ source: fixture.uri("dir"), indexLink });
    // The point of the restore at which it is cancelled.
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    await cancelled(name);
  }
  expect(cancelledCount).toBeGreaterThanOrEqual(4);
  expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
  await fixture.put("after", {});
  expect((await fixture.restore("dir")).documents).toBe(12_000);
});

test("compacted versions limit the restorable window of a backup, which names the link", async () => {
  const fixture = await hostFixture({ retainedVersions: 2, historyMs: 0 });
  const times: number[] = [];
  for (let n = 0; n < 6; n += 1) times.push(await fixture.put("a", { n }));
  await fixture.put("b", {});
  await eventually(
    async () => (await fixture.host.documents.listVersions("/things/a", 100)).length === 2,
  );
  const { backup } = await fixture.backup("dir");
  expect(backup.window).toMatchObject({
    earliestMicros: times[4],
    boundingLink: "/things/a",
    historyStartMicros: times[0],
  });
  const at = (micros: number) => fixture.restore("dir", { targetTimeMicros: BigInt(micros) });
  await expect(at((times[4] ?? 0) - 1)).rejects.toMatchObject({
    code: "OUT_OF_RANGE",
    message: expect.stringContaining("/things/a") as string,
  });
  await at(times[4] ?? 0);
  expect(await fixture.contents()).toEqual({ a: '{"n":4}' });
  await fixture.restore("dir", { targetTimeMicros: 0n, lenientTargetTime: true });
  expect(await fixture.contents()).toEqual({});
});

test("backs up and restores an in-memory index without a restart; a restart empties it", async () => {
  const fixture = await hostFixture();
  const indexLink = "/core/in-memory-document-index";
  const { documents } = fixture.host;
  await documents.create("/memory-things", '{"documentSelfLink":"a","n":1}');
  await fixture.put("durable", {});
  await fixture.backup("memory", { indexLink });
  await documents.patch("/memory-things/a", '{"n":2}');
  await fixture.backup("memory", { indexLink });
  await documents.delete("/memory-things/a");
  await fixture.restore("memory", { indexLink });
  expect((await documents.get("/memory-things/a")).body).toBe('{"n":2}');
  expect(await fixture.contents()).toEqual({ durable: "{}" });
  await fixture.restart();
  await expect(fixture.host.documents.get("/memory-things/a")).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  await fixture.restore("memory", { indexLink });
  expect((await fixture.host.documents.get("/memory-things/a")).version).toBe(1);
});

test("an undo says what it leaves out, and is not one of a restore of selected documents", async () => {
  const fixture = await hostFixture();
  const undo = (request: Partial<UndoRequest> = {}) =>
    fixture.finish<RestoreResult>(
      fixture.host.management.undoRestore({ indexLink: "/core/document-index", ...request }),
    );
  await fixture.put("a", { n: 1 });
  await fixture.backup("dir");
  const before = await fixture.put("a", { n: 2 });
  await fixture.restore("dir");
  await fixture.put("b", {});
  await fixture.put("b", {});
  const dryRun = await undo({ validateOnly: true });
  expect(dryRun).toMatchObject({
    positionMicros: before,
    plan: { currentDocuments: 2, currentVersions: 3, discardedVersions: 2 },
  });
  expect(dryRun.warnings[1]).toMatch(/^2 versions written since the restore would be left out/);
  expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: "{}" });

  // Only the restore that somebody looked at.
  await expect(undo({ ifLineage: "another", validateOnly: true })).rejects.toMatchObject({
    reason: "UNDO_NOT_LAST",
  });
  const { indexes } = await fixture.host.management.host();
  await undo({ ifLineage: indexes[0]?.lineage ?? "", validateOnly: true });

  // Selected documents, of which none differs: an undo is one of the restore before.
  const selection = { links: ["/things/a"], prefixes: [], kinds: [], deleteOthers: false };
  await fixture.restore("dir", { selection });
  await undo({ validateOnly: true });
  await fixture.put("a", { n: 3 });
  await fixture.restore("dir", { selection });
  await expect(undo()).rejects.toMatchObject({
    reason: "UNDO_NOT_LAST",
    message: expect.stringContaining("Nothing was changed") as string,
  });
  await fixture.restart();
  await expect(undo()).rejects.toMatchObject({ reason: "UNDO_NOT_LAST" });
  expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: "{}" });

  const undone = await undo({ ignorePartialRestores: true });
  expect(undone.warnings).toEqual([
    "4 versions written since the restore are left out. A second undo brings them back.",
  ]);
  expect(await fixture.contents()).toEqual({ a: '{"n":2}' });
  // The undo is now the last one, and nothing was written after it.
  expect((await undo()).warnings).toEqual([]);
  expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: "{}" });
});
