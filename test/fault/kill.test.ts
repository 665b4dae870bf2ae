import { execFile } from "node:child_process";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform, type FailpointName } from "../../src/io/platform.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { unfinishedFiles } from "../support/unfinished-files.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { readWholeBackup, strayFiles } from "../support/whole-backup.js";

const platform = { ...systemPlatform, lease: { expiryMs: 300, heartbeatMs: 50 } };
const child = join(__dirname, "..", "support", "crash-child.mjs");

/** Runs the work in a child process that is killed at the failpoint; resolves to how the process ended. */
function crash(fixture: HostFixture, work: object, failpoint: FailpointName): Promise<string> {
  const task = JSON.stringify({ dataDirectory: join(fixture.root, "data"), work, failpoint });
  return new Promise((resolve) => {
    execFile(process.execPath, [child, task], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve(error?.signal ?? `${stdout}${stderr}`),
    );
  });
}

const backupTo = (fixture: HostFixture, name: string, container: "ZIP" | "DIRECTORY") => ({
  kind: "backup",
  request: { destination: fixture.uri(name), container },
});

async function expectNothingLeftOver(fixture: HostFixture): Promise<void> {
  // The verification after the kill writes its record when it ends, which is not a leftover.
  const { operations } = fixture.host;
  for (const { name } of operations.list(100).operations) await operations.wait(name, 60_000);
  expect(await unfinishedFiles(fixture.root)).toEqual([]);
  expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
}

describe("killed in a backup to a directory", () => {
  const failpoints: FailpointName[] = [
    "backup:snapshot-taken",
    "backup:segment-staged",
    "backup:segment-renamed",
    "backup:segment-read-back",
    "backup:manifest-written",
  ];
  // The state before the killed backup.
  const stages: [string, (fixture: HostFixture) => Promise<void>][] = [
    ["the first backup", async () => {}],
    ["an incremental backup", async (fixture) => void (await fixture.backup("dir"))],
    [
      "a backup that merges the deltas",
      async (fixture) => {
        for (let i = 0; i < 200; i += 1) await fixture.put(`pad${i}`, { pad: "x".repeat(40_000) });
        for (let i = 0; i < 65; i += 1) {
          await fixture.put("n", { i });
          await fixture.backup("dir");
        }
        expect((await readWholeBackup(join(fixture.root, "dir"))).segments).toHaveLength(65);
      },
    ],
  ];
  const made = new Map<string, string>();
  /** The directory of a host in the given state, created once and copied for each failpoint. */
  async function prepared(
    name: string,
    prepare: (fixture: HostFixture) => Promise<void>,
  ): Promise<string> {
    const known = made.get(name);
    if (known !== undefined) return known;
    const fixture = await hostFixture({ platform });
    await fixture.put("a", { before: 1 });
    await prepare(fixture);
    await fixture.stop();
    made.set(name, fixture.root);
    return fixture.root;
  }
  test.each(
    stages.flatMap(([name, prepare]) =>
      failpoints.map((failpoint) => [name, failpoint, prepare] as const),
    ),
  )("%s, at %s", async (name, failpoint, prepare) => {
    const root = temporaryDirectory();
    cpSync(await prepared(name, prepare), root, { recursive: true });
    const fixture = await hostFixture({ platform }, root);
    const before = await readWholeBackup(join(fixture.root, "dir")).catch(() => undefined);
    await fixture.put("a", { now: 2 });
    const expected = await fixture.contents();
    await fixture.stop();
    expect(await crash(fixture, backupTo(fixture, "dir", "DIRECTORY"), failpoint)).toBe("SIGKILL");
    const after = await readWholeBackup(join(fixture.root, "dir")).catch(() => undefined);
    expect(after?.number).toBe(
      failpoint === "backup:manifest-written" ? (before?.number ?? 0) + 1 : before?.number,
    );
    await fixture.restart();
    expect(await fixture.contents()).toEqual(expected);
    const { backup } = await fixture.backup("dir");
    expect(backup.number).toBe((after?.number ?? 0) + 1);
    expect(await strayFiles(join(fixture.root, "dir"))).toEqual([]);
    await expectNothingLeftOver(fixture);
    await fixture.put("a", { lost: 3 });
    await fixture.restore("dir");
    expect(await fixture.contents()).toEqual(expected);
  });
});

describe("killed in a backup that replaces an archive", () => {
  const failpoints: FailpointName[] = [
    "backup:snapshot-taken",
    "backup:segment-staged",
    "backup:archive-read-back",
    "backup:manifest-written",
  ];
  test.each(failpoints)("at %s", async (failpoint) => {
    const fixture = await hostFixture({ platform });
    await fixture.put("a", { before: 1 });
    await fixture.backup("b.zip", { container: "ZIP" });
    await fixture.put("a", { now: 2 });
    const expected = await fixture.contents();
    await fixture.stop();
    expect(await crash(fixture, backupTo(fixture, "b.zip", "ZIP"), failpoint)).toBe("SIGKILL");
    expect((await readWholeBackup(join(fixture.root, "b.zip"))).number).toBe(
      failpoint === "backup:manifest-written" ? 2 : 1,
    );
    await fixture.restart();
    await fixture.backup("b.zip", { container: "ZIP" });
    await expectNothingLeftOver(fixture);
    expect(readdirSync(fixture.root).sort()).toEqual(["b.zip", "data"]);
    await fixture.put("a", { lost: 3 });
    await fixture.restore("b.zip");
    expect(await fixture.contents()).toEqual(expected);
  });
});

describe("killed in a restore", () => {
  const early: FailpointName[] = [
    "restore:source-fetched",
    "restore:built",
    "restore:writes-fenced",
  ];
  const late: FailpointName[] = ["restore:pointer-written", "restore:switched"];

  test.each([...early, ...late])(
    "at %s: serves either the old documents or the restored ones",
    async (failpoint) => {
      const fixture = await hostFixture({ platform });
      for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i });
      const restored = await fixture.contents();
      await fixture.backup("dir");
      for (let i = 5; i < 30; i += 1) await fixture.put(`d${i}`, { changed: i });
      const old = await fixture.contents();
      await fixture.stop();
      expect(
        await crash(
          fixture,
          { kind: "restore", request: { source: fixture.uri("dir") } },
          failpoint,
        ),
      ).toBe("SIGKILL");
      await fixture.restart();
      expect(await fixture.contents()).toEqual(late.includes(failpoint) ? restored : old);
      await fixture.put("after", {});
      await expectNothingLeftOver(fixture);
      expect(
        readdirSync(join(fixture.root, "data", "document-index")).filter((name) =>
          name.startsWith("generation-"),
        ).length,
      ).toBeLessThanOrEqual(2);
      await fixture.restore("dir");
      expect(await fixture.contents()).toEqual(restored);
    },
  );

  test.each(["undo:identity-written", ...late] as FailpointName[])(
    "an undo at %s",
    async (failpoint) => {
      const fixture = await hostFixture({ platform });
      await fixture.put("a", { backed: "up" });
      const restored = await fixture.contents();
      await fixture.backup("dir");
      await fixture.put("a", { old: 1 });
      const old = await fixture.contents();
      await fixture.restore("dir");
      await fixture.stop();
      expect(await crash(fixture, { kind: "undo" }, failpoint)).toBe("SIGKILL");
      await fixture.restart();
      const undone = late.includes(failpoint);
      expect(await fixture.contents()).toEqual(undone ? old : restored);
      await fixture.finish(
        fixture.host.management.undoRestore({ indexLink: "/core/document-index" }),
      );
      expect(await fixture.contents()).toEqual(undone ? restored : old);
      await expectNothingLeftOver(fixture);
    },
  );
});
