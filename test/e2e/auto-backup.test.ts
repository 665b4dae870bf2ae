import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import type { AutoBackupStatus } from "../../src/backup/schedule/status.js";
import { eventually } from "../support/eventually.js";
import { faultyFileSystem } from "../support/faulty-file-system.js";
import { clockPlatform, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { haveVersitygw, strictStore } from "../support/s3-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";

/** Intervals short enough that a test sees many runs and merges. */
const pace = { intervalMs: 5, retryMs: 10, retryMaxMs: 80, mergeDeltas: 4, mergeBytes: 200_000 };
const fast: Platform = { ...systemPlatform, autoBackup: pace };

const directory = "data/auto-backup";
const statusOf = ({ host }: HostFixture): AutoBackupStatus => host.control.autoBackup();

/** Waits for a status of automatic backups, and returns it. */
async function until(
  fixture: HostFixture,
  wanted: (status: AutoBackupStatus) => boolean,
): Promise<AutoBackupStatus> {
  await eventually(() => wanted(statusOf(fixture)), { state: () => statusOf(fixture) });
  return statusOf(fixture);
}
/** Writes reach the scheduler in the next turn of the event loop, once per turn. */
const current = async (fixture: HostFixture) => {
  await nextTurn();
  return until(fixture, ({ state }) => state === "CURRENT");
};

const count = async ({ host }: HostFixture, name: string) =>
  (await host.control.stats()).find((stat) => stat.name === name)?.latestValue;
const backupFiles = ({ root }: HostFixture) =>
  readdirSync(join(root, directory)).filter(
    (name) => name.endsWith(".sqlite") || name.endsWith(".json"),
  );

/** The documents of a new host after it restored the automatic backups of another one. */
async function restored(fixture: HostFixture, more: { targetTimeMicros?: bigint } = {}) {
  const other = await hostFixture();
  await other.restore("", { source: fixture.uri(directory), ...more });
  const contents = await other.contents();
  await other.stop();
  return contents;
}

test("is off by default; once switched on, backs up each commit", async () => {
  const fixture = await hostFixture({ platform: fast });
  await fixture.put("a", { n: 0 });
  // Ten intervals in which no backup may start.
  await sleep(50);
  expect(statusOf(fixture)).toMatchObject({
    enabled: false,
    state: "OFF",
    destination: pathToFileURL(join(fixture.root, directory)).href,
  });
  expect(() => backupFiles(fixture)).toThrow("ENOENT");

  await fixture.host.control.configureAutoBackup(true);
  for (let n = 1; n <= 3; n += 1) {
    await fixture.put("a", { n });
    await current(fixture);
    expect(await restored(fixture)).toEqual({ a: `{"n":${n}}` });
  }
  expect(await count(fixture, "autoBackupPerformedCount")).toBeGreaterThanOrEqual(3);
  expect(await count(fixture, "autoBackupFailedCountPerHour")).toBe(0);

  await fixture.host.control.configureAutoBackup(false);
  await fixture.put("a", { n: 4 });
  // Ten intervals in which no backup may start.
  await sleep(50);
  expect(await restored(fixture)).toEqual({ a: '{"n":3}' });
});

test("under load merges deltas, bounds the number of files, and keeps every point in time restorable", async () => {
  const fixture = await hostFixture({ platform: fast });
  await fixture.host.control.configureAutoBackup(true);
  const states: { time: number; contents: Record<string, string> }[] = [];
  const contents: Record<string, string> = {};
  let most = 0;
  const runs = async () => (await count(fixture, "autoBackupPerformedCount")) ?? 0;
  // On a slow machine, more of the writes share a run.
  for (let n = 0; n < 300 || (n < 3000 && (await runs()) <= 8); n += 1) {
    const name = `d${n % 17}`;
    const body = { n, text: "x".repeat(n % 1000) };
    const time = await fixture.put(name, body);
    contents[name] = JSON.stringify(body);
    if (n % 97 === 0) states.push({ time, contents: { ...contents } });
    if (n % 50 === 0 && n > 0) most = Math.max(most, backupFiles(fixture).length);
    // Spreads the writes over many runs.
    await sleep(2);
  }
  await current(fixture);
  expect(await runs()).toBeGreaterThan(8);
  expect(most).toBeLessThanOrEqual(40);
  expect(await restored(fixture)).toEqual(contents);
  for (const { time, contents: wanted } of states)
    expect(await restored(fixture, { targetTimeMicros: BigInt(time) })).toEqual(wanted);
  // The last merge completes only after the writes have stopped.
  const status = await until(fixture, ({ files = 99, state }) => files <= 6 && state === "CURRENT");
  expect(backupFiles(fixture)).toHaveLength(status.files ?? 0);
}, 60_000);

test("merges keep all versions while old versions are compacted", async () => {
  const platform = { ...clockPlatform(1_800_000_000_000_000), autoBackup: pace };
  const fixture = await hostFixture({ platform, retainedVersions: 2, historyMs: 0 });
  await fixture.host.control.configureAutoBackup(true);
  for (let n = 0; n < 300; n += 1) {
    platform.clock.micros += 1000;
    await fixture.put(`d${n % 5}`, { n, text: "y".repeat(200) });
    // Spreads the writes over many runs.
    if (n % 7 === 0) await sleep(8);
  }
  await eventually(
    async () => (await fixture.host.documents.listVersions("/things/d0", 100)).length < 60,
  );
  await fixture.put("last", { n: 300 });
  await current(fixture);
  expect(await restored(fixture)).toEqual(await fixture.contents());
  const [backup] = await fixture.host.management.listBackups(fixture.uri(directory));
  expect(backup?.state).toBe("COMPLETE");
}, 30_000);

test("commits during a run cause one further run and count as skipped", async () => {
  let release = () => {};
  let runs = 0;
  const held = new Promise<void>((resolve) => (release = resolve));
  const platform: Platform = {
    ...fast,
    async failpoint(name) {
      if (name !== "backup:snapshot-taken") return;
      runs += 1;
      if (runs === 2) await held;
    },
  };
  const fixture = await hostFixture({ platform });
  await fixture.host.control.configureAutoBackup(true);
  await current(fixture);
  await fixture.put("a", { n: 0 });
  await until(fixture, ({ state }) => state === "RUNNING");
  for (let n = 1; n <= 10; n += 1) await fixture.put("a", { n });
  // Ten intervals in which no further run may start.
  await sleep(50);
  expect(runs).toBe(2);
  release();
  await current(fixture);
  expect(runs).toBe(3);
  expect(await count(fixture, "autoBackupSkippedCountPerDay")).toBe(9);
  expect(await restored(fixture)).toEqual({ a: '{"n":10}' });
});

test("keeps the setting over a restart and backs up what was written while switched off", async () => {
  const fixture = await hostFixture({ platform: fast });
  await fixture.host.control.configureAutoBackup(true);
  await fixture.put("a", { n: 1 });
  // An orderly stop backs up all remaining commits.
  await fixture.restart();
  expect(statusOf(fixture).enabled).toBe(true);
  await current(fixture);
  expect(await restored(fixture)).toEqual({ a: '{"n":1}' });
  await fixture.host.control.configureAutoBackup(false);
  await fixture.put("a", { n: 2 });
  await fixture.restart();
  expect(statusOf(fixture).state).toBe("OFF");
  await fixture.host.control.configureAutoBackup(true);
  await current(fixture);
  expect(await restored(fixture)).toEqual({ a: '{"n":2}' });
});

test("retries, reports and counts failures of the destination, and catches up afterwards; writes continue", async () => {
  const fixture = await hostFixture({ platform: fast });
  const mount = join(fixture.root, "mount");
  await fixture.restart({ autoBackupDestination: join(mount, "auto") });
  await fixture.host.control.configureAutoBackup(true);
  const failing = await until(fixture, ({ failuresInARow }) => failuresInARow >= 3);
  expect(failing).toMatchObject({
    state: expect.stringMatching(/RETRYING|RUNNING/) as string,
    lastError: { reason: "DESTINATION_MISSING" },
  });
  expect(await count(fixture, "autoBackupFailedCountPerHour")).toBeGreaterThanOrEqual(3);
  await fixture.put("a", { n: 1 });
  mkdirSync(mount);
  const status = await current(fixture);
  expect(status.failuresInARow).toBe(0);
  expect(status).not.toHaveProperty("lastError");
  const other = await hostFixture();
  await other.restore("", { source: fixture.uri("mount/auto") });
  expect(await other.contents()).toEqual({ a: '{"n":1}' });
  // The directory disappears during the run and is restored later.
  renameSync(mount, `${mount}-away`);
  await fixture.put("a", { n: 2 });
  await until(fixture, ({ failuresInARow }) => failuresInARow > 0);
  renameSync(`${mount}-away`, mount);
  await current(fixture);
  await other.restore("", { source: fixture.uri("mount/auto") });
  expect(await other.contents()).toEqual({ a: '{"n":2}' });
});

test.each(["create", "write", "sync", "rename", "syncDirectory", "remove"] as const)(
  "recovers in the next run after a failed %s, also during a merge",
  async (kind) => {
    const files = faultyFileSystem();
    const fixture = await hostFixture({
      platform: { ...fast, files, lease: { heartbeatMs: 50, expiryMs: 300 } },
    });
    await fixture.host.control.configureAutoBackup(true);
    for (let n = 0; n < 20; n += 1) {
      files.arm(kind, 1 + (n % 13), "EIO");
      await fixture.put(`d${n % 5}`, { n, text: "z".repeat(2000) }).catch(() => undefined);
      // Spreads the failures over several runs and their retries.
      await sleep(12);
    }
    files.disarm();
    await fixture.put("last", { n: 40 });
    await current(fixture);
    expect(await restored(fixture)).toEqual(await fixture.contents());
  },
  30_000,
);

test("warns about an unreadable manifest, keeps its segments, and still bounds the number of files", async () => {
  const logged: string[] = [];
  const fixture = await hostFixture({
    platform: fast,
    logger: { info() {}, warn: (_fields, message) => void logged.push(message), error() {} },
  });
  await fixture.host.control.configureAutoBackup(true);
  await fixture.put("a", { n: 0 });
  await current(fixture);
  writeFileSync(join(fixture.root, directory, "manifest-0000000777-0123456789abcdef.json"), "{}");
  for (let n = 1; n <= 40; n += 1) {
    await fixture.put("a", { n });
    // Spreads the writes over several runs.
    await sleep(10);
  }
  await current(fixture);
  expect(statusOf(fixture).warnings).toEqual([expect.stringContaining("manifest-0000000777")]);
  expect(logged).toEqual(["automatic backup complete, with warnings"]);
  expect(backupFiles(fixture).filter((name) => name.startsWith("manifest-"))).toHaveLength(2);
  const [newest] = await fixture.host.management.listBackups(fixture.uri(directory));
  const other = await hostFixture();
  const good = (await fixture.host.management.listBackups(fixture.uri(directory))).find(
    ({ state }) => state === "COMPLETE",
  );
  expect(newest).toBeDefined();
  await other.restore("", { source: fixture.uri(directory), manifest: good?.name ?? "" });
  expect(await other.contents()).toEqual({ a: '{"n":40}' });
});

test("continues with the new lineage after a restore from its own backups under load", async () => {
  const fixture = await hostFixture({ platform: fast });
  await fixture.host.control.configureAutoBackup(true);
  const pointInTime = await fixture.put("a", { n: 1 });
  await current(fixture);
  let writing = true;
  const load = (async () => {
    for (let n = 0; writing; n += 1)
      await fixture.put(`b${n % 50}`, { n, text: "x".repeat(5000) }).catch(() => sleep(1));
  })();
  for (let round = 0; round < 3; round += 1) {
    // Time for writes and automatic backups between two restores.
    await sleep(150);
    await fixture.restore(directory, { targetTimeMicros: BigInt(pointInTime) });
  }
  writing = false;
  await load;
  await current(fixture);
  expect(await restored(fixture)).toEqual(await fixture.contents());
}, 60_000);

test("detects a deleted directory while idle and creates it again", async () => {
  const fixture = await hostFixture({
    platform: { ...fast, autoBackup: { ...pace, checkMs: 30 } },
  });
  await fixture.host.control.configureAutoBackup(true);
  await fixture.put("a", { n: 1 });
  await current(fixture);
  for (const lose of [
    () => rmSync(join(fixture.root, directory), { recursive: true }),
    () =>
      rmSync(
        join(
          fixture.root,
          directory,
          backupFiles(fixture).find((name) => name.startsWith("base-")) ?? "none",
        ),
      ),
  ]) {
    const before = (await count(fixture, "autoBackupPerformedCount")) ?? 0;
    lose();
    await eventually(
      async () => ((await count(fixture, "autoBackupPerformedCount")) ?? 0) > before,
    );
    await current(fixture);
    expect(await restored(fixture)).toEqual({ a: '{"n":1}' });
  }
});

test("manual backups to the same directory do not disturb a running merge", async () => {
  const logged: string[] = [];
  const fixture = await hostFixture({
    platform: fast,
    logger: {
      info() {},
      warn: (_fields, message) => void logged.push(message),
      error: (_fields, message) => void logged.push(message),
    },
  });
  await fixture.host.control.configureAutoBackup(true);
  for (let n = 0; n < 60; n += 1) {
    await fixture.put(`d${n % 9}`, { n, text: "x".repeat(3000) });
    if (n % 3 === 0) await fixture.backup(directory);
    // Spreads the writes over several runs.
    await sleep(4);
  }
  await current(fixture);
  expect(logged).toEqual([]);
  expect(await count(fixture, "autoBackupFailedCount")).toBe(0);
  expect(await restored(fixture)).toEqual(await fixture.contents());
}, 30_000);

test("counts backups of earlier lineages and warns about many of them", async () => {
  const fixture = await hostFixture({ platform: fast });
  await fixture.host.control.configureAutoBackup(true);
  await fixture.put("a", { n: 1 });
  await current(fixture);
  for (let n = 1; n <= 10; n += 1) {
    await fixture.restore(directory);
    await current(fixture);
    expect(statusOf(fixture).otherBackups).toBe(n);
    expect(statusOf(fixture).warnings).toEqual(
      n < 10 ? [] : [expect.stringContaining("10 backups of earlier histories")],
    );
  }
  expect(await restored(fixture)).toEqual({ a: '{"n":1}' });
});

test.each(["", "temporary", "transfers", "document-index", "auto-backup/deeper"])(
  "rejects %j of the data directory as a destination",
  async (name) => {
    const fixture = await hostFixture();
    await expect(
      fixture.restart({ autoBackupDestination: join(fixture.root, "data", name) }),
    ).rejects.toMatchObject({ reason: "CONFIGURATION_INVALID" });
  },
);

test("reports a directory without write permission", async () => {
  if (process.getuid?.() === 0) {
    console.warn("SKIPPED: root can write to every directory.");
    return;
  }
  const fixture = await hostFixture({ platform: fast });
  const closed = join(fixture.root, "closed");
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  await fixture.restart({ autoBackupDestination: join(closed, "auto") });
  await fixture.host.control.configureAutoBackup(true);
  expect(
    (await until(fixture, ({ failuresInARow }) => failuresInARow > 0)).lastError?.message,
  ).toContain(closed);
  rmSync(closed, { recursive: true });
});

test("backs up, merges and restores with any destination that supports directories", async () => {
  const store = new MemoryStore();
  const destinations = {
    memory: new MemoryScheme((bucket) => new MemoryDestination(store, bucket)),
  };
  const autoBackupDestination = "memory:automatic";
  const fixture = await hostFixture({ platform: fast, destinations, autoBackupDestination });
  await fixture.host.control.configureAutoBackup(true);
  for (let n = 0; n < 12; n += 1) {
    await fixture.put("a", { n, text: "x".repeat(30_000) });
    await current(fixture);
  }
  const status = await until(fixture, ({ files = 0 }) => files < 9);
  expect(status).toMatchObject({ destination: autoBackupDestination, warnings: [] });
  const other = await hostFixture({ destinations });
  await other.restore("", { source: autoBackupDestination });
  expect(Object.keys(await other.contents())).toEqual(["a"]);
  expect(await other.contents()).toEqual(await fixture.contents());
  // A restore by the host itself reads its automatic backups.
  await fixture.restore("", { source: autoBackupDestination });
  await current(fixture);
});

(haveVersitygw ? test : test.skip)(
  "backs up, merges and restores with an object store, also outside the backup roots",
  async () => {
    const autoBackupDestination = `${(await strictStore()).uri}/automatic`;
    const backupRoots = [temporaryDirectory()];
    const fixture = await hostFixture({ platform: fast, backupRoots, autoBackupDestination });
    await fixture.host.control.configureAutoBackup(true);
    for (let n = 0; n < 12; n += 1) {
      await fixture.put("a", { n, text: randomBytes(30_000).toString("hex") });
      await current(fixture);
    }
    const status = await until(fixture, ({ files = 0 }) => files < 9);
    expect(status).toMatchObject({ destination: autoBackupDestination, warnings: [] });
    await fixture.host.control.configureAutoBackup(false);
    const expected = await fixture.contents();
    await fixture.put("a", { lost: true });
    await fixture.restore("", { source: autoBackupDestination });
    expect(await fixture.contents()).toEqual(expected);
  },
);

test.each([
  ["http://127.0.0.1:9/backups", /http: destinations, which take backups of type STREAM/],
  ["transfer:", /transfer: destinations/],
  ["unknown:bucket", /Unknown scheme unknown:/],
])("rejects %s as the destination of automatic backups", async (autoBackupDestination, message) => {
  await expect(hostFixture({ autoBackupDestination })).rejects.toMatchObject({
    message: expect.stringMatching(message) as string,
  });
});
