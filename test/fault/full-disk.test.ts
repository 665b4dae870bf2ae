import { execFileSync, execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { hostFixture } from "../support/host-fixture.js";
import { httpStore } from "../support/http-store.js";
import { fill, smallDisk } from "../support/small-disk.js";
import { readWholeBackup } from "../support/whole-backup.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { transferFixture } from "../support/transfer-fixture.js";

test("rejects writes while the disk is full, keeps acknowledged ones, and continues when space is available", async () => {
  const disk = smallDisk(12);
  if (disk === undefined) return;
  const fixture = await hostFixture({}, join(disk, "host"));
  await fixture.put("a", { kept: true });
  const release = fill(disk, 300);
  const acknowledged: string[] = ["a"];
  const reasons = new Set<string>();
  for (let i = 0; i < 60; i += 1) {
    await fixture.put(`d${i}`, { pad: "x".repeat(20_000) }).then(
      () => acknowledged.push(`d${i}`),
      (error: unknown) => reasons.add((error as { reason: string }).reason),
    );
  }
  expect([...reasons]).toEqual(["STORAGE_FULL"]);
  expect(Object.keys(await fixture.contents()).sort()).toEqual(acknowledged.sort());
  release();
  await fixture.put("again", {});
  await fixture.restart();
  expect(Object.keys(await fixture.contents()).sort()).toEqual([...acknowledged, "again"].sort());
});

test.each(["DIRECTORY", "ZIP"] as const)(
  "a %s backup to another disk works while the disk of the index is full, and again after a restart",
  async (container) => {
    const disk = smallDisk(12);
    if (disk === undefined) return;
    const fixture = await hostFixture({}, join(disk, "host"));
    for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { pad: "x".repeat(20_000) });
    const release = fill(disk, 0);
    await expect(fixture.put("refused", { pad: "x".repeat(20_000) })).rejects.toMatchObject({
      reason: "STORAGE_FULL",
    });
    const destination = join(temporaryDirectory(), container === "ZIP" ? "b.zip" : "dir");
    const backup = () =>
      fixture.finish(
        fixture.host.management.backup({
          destination: `file:${destination}`,
          container,
          indexLink: "/core/document-index",
        }),
      );
    await backup();
    expect(await readWholeBackup(destination)).toMatchObject({ documents: 20 });
    release();
    await fixture.restart();
    await fixture.put("later", {});
    await backup();
    expect(await readWholeBackup(destination)).toMatchObject({ documents: 21 });
  },
);

test.each(["DIRECTORY", "ZIP"] as const)(
  "a %s backup onto a full disk fails without traces, keeps the older one, and works when space is available",
  async (container) => {
    const disk = smallDisk(12);
    if (disk === undefined) return;
    const fixture = await hostFixture({ backupRoots: [disk] });
    const destination = join(disk, container === "ZIP" ? "b.zip" : "dir");
    const backup = () =>
      fixture.finish(
        fixture.host.management.backup({
          destination: `file:${destination}`,
          container,
          indexLink: "/core/document-index",
          store: true,
          full: true,
        }),
      );
    await fixture.put("a", {});
    await backup();
    for (let i = 0; i < 100; i += 1) await fixture.put(`d${i}`, { pad: "x".repeat(20_000) });
    const release = fill(disk, 500);
    const before = execFileSync("ls", ["-A", disk]).toString();
    await expect(backup()).rejects.toMatchObject({ reason: "DESTINATION_FULL" });
    expect(execFileSync("ls", ["-A", disk]).toString()).toBe(before);
    expect((await readWholeBackup(destination)).number).toBe(1);
    release();
    await backup();
    expect(await readWholeBackup(destination)).toMatchObject({ number: 2, documents: 101 });
    if (container === "DIRECTORY") expect(readdirSync(destination)).toHaveLength(3);
  },
);

test("rejects a restore without enough space before it starts, and leaves the index unchanged", async () => {
  const disk = smallDisk(16);
  if (disk === undefined) return;
  const fixture = await hostFixture({}, join(disk, "host"));
  for (let i = 0; i < 100; i += 1) await fixture.put(`d${i}`, { pad: "x".repeat(20_000) });
  await fixture.backup("dir");
  await fixture.put("d0", { changed: true });
  const before = await fixture.contents();
  const release = fill(disk, 3000);
  await expect(fixture.restore("dir")).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  expect(await fixture.contents()).toEqual(before);
  release();
  await fixture.restore("dir");
  expect((await fixture.contents())["d0"]).toContain("xxxx");
});

test("a transfer without enough space fails with the reason and changes nothing, also from an endless source", async () => {
  const disk = smallDisk(24);
  if (disk === undefined) return;
  const store = await httpStore();
  const fixture = await transferFixture(undefined, {}, join(disk, "host"));
  for (let i = 0; i < 100; i += 1) await fixture.put(`d${i}`, { pad: "x".repeat(20_000) });
  const destination = `${store.origin}/b.zip`;
  await fixture.backupTo(destination);
  const archive = store.bytes("/b.zip");
  const before = await fixture.contents();
  for (const leaveKiB of [500, 3000]) {
    const release = fill(disk, leaveKiB);
    store.reset();
    const error = await fixture.backupTo(destination).then(
      () => undefined,
      (thrown: { reason: string; message: string }) => thrown,
    );
    expect(["STORAGE_FULL", "DESTINATION_FULL"]).toContain(error?.reason);
    expect(error?.message).toMatch(
      leaveKiB === 500 ? /No space is left for the segment/ : /Packing the backup needs/,
    );
    expect(store.requests).toEqual([]);
    await expect(fixture.restoreFrom(destination)).rejects.toMatchObject({
      reason: "STORAGE_FULL",
    });
    release();
    expect(fixture.leftovers()).toEqual([]);
  }
  expect(store.bytes("/b.zip").equals(archive)).toBe(true);
  store.fault = (_request, _incoming, response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.writeHead(200).on("drain", more);
    more();
    return true;
  };
  await expect(fixture.restoreFrom(destination)).rejects.toMatchObject({
    reason: "STORAGE_FULL",
    message: expect.stringContaining("exceeds the") as string,
  });
  expect(await fixture.contents()).toEqual(before);
  expect(fixture.leftovers()).toEqual([]);
  store.reset();
  await fixture.restoreFrom(destination);
});

test("after a failed write the index is read-only until a restart, and no acknowledged write is lost", async () => {
  const root = temporaryDirectory();
  const child = join(__dirname, "..", "support", "fill-child.mjs");
  // A limit on the file size makes writes fail with an error other than a full disk.
  const command = `ulimit -f 3000; exec "${process.execPath}" "${child}" "${join(root, "data")}"`;
  const { stdout } = await promisify(execFile)("bash", ["-c", command]);
  const result = JSON.parse(stdout) as {
    acknowledged: number[];
    refused: Record<string, number>;
    readable: boolean;
  };
  expect(result.acknowledged.length).toBeGreaterThan(20);
  expect(result.refused).toEqual({
    OUTCOME_UNKNOWN: 1,
    INDEX_READ_ONLY: 399 - result.acknowledged.length,
  });
  expect(result.readable).toBe(true);
  const fixture = await hostFixture({}, root);
  const there = Object.keys(await fixture.contents());
  for (const i of result.acknowledged) expect(there).toContain(`d${i}`);
  await fixture.put("after", {});
});
