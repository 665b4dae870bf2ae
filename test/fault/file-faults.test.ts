import { readdirSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../src/errors.js";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import { faultyFileSystem, type FaultKind } from "../support/faulty-file-system.js";
import { hostFixture } from "../support/host-fixture.js";
import { readWholeBackup, strayFiles } from "../support/whole-backup.js";

const kinds: FaultKind[] = ["create", "write", "sync", "rename", "syncDirectory", "remove"];
const errnos = ["ENOSPC", "EIO"];

/** Fails each call of a kind in turn, or every third, until the work completes without a fault. */
async function eachFault(
  files: ReturnType<typeof faultyFileSystem>,
  kind: FaultKind,
  work: () => Promise<unknown>,
  check: (error: HostError | undefined) => Promise<void>,
): Promise<number> {
  for (let nth = 1; ; nth += 1) {
    if (nth > 60) throw new Error(`${kind} is called without end`);
    files.arm(kind, nth, errnos[nth % 2] ?? "EIO");
    const error = await work().then(
      () => undefined,
      (thrown: unknown) => thrown as HostError,
    );
    if (!files.disarm()) {
      expect(error).toBeUndefined();
      return nth - 1;
    }
    await check(error);
  }
}

function expectTyped(error: HostError | undefined): void {
  if (!error) return;
  expect(error).toBeInstanceOf(HostError);
  expect([
    "DESTINATION_FULL",
    "DESTINATION_FAILED",
    "BACKUP_DAMAGED",
    "STORAGE_FULL",
    "STORAGE_FAILED",
  ]).toContain(error.reason);
}

describe.each(kinds)("the n-th %s fails", (kind) => {
  test("a backup to a directory, first or incremental, fails without traces or succeeds", async () => {
    const files = faultyFileSystem();
    const fixture = await hostFixture({
      platform: { ...systemPlatform, files, lease: { expiryMs: 300, heartbeatMs: 50 } },
    });
    let round = 0;
    let number = 0;
    const struck = await eachFault(
      files,
      kind,
      async () => {
        await fixture.put("d", { round: (round += 1) });
        const { backup } = await fixture.backup("dir");
        expect(backup.number).toBeGreaterThan(number);
        ({ number } = backup);
      },
      async (error) => {
        expectTyped(error);
        // A complete backup, never older than the last acknowledged one.
        if (number > 0)
          expect((await readWholeBackup(join(fixture.root, "dir"))).number).toBeGreaterThanOrEqual(
            number,
          );
        expect(await fixture.contents()).toEqual({ d: JSON.stringify({ round }) });
      },
    );
    await fixture.put("d", { round: "last" });
    await fixture.backup("dir");
    expect(await strayFiles(join(fixture.root, "dir"))).toEqual([]);
    await fixture.put("d", { round: "lost" });
    await fixture.restore("dir");
    expect(await fixture.contents()).toEqual({ d: '{"round":"last"}' });
    if (kind !== "remove") expect(struck).toBeGreaterThan(0);
  });

  test("a backup to an archive fails and keeps the existing one, or succeeds", async () => {
    const files = faultyFileSystem();
    const fixture = await hostFixture({
      platform: { ...systemPlatform, files, lease: { expiryMs: 300, heartbeatMs: 50 } },
    });
    await fixture.put("d", { round: 0 });
    let { number } = (await fixture.backup("b.zip", { container: "ZIP" })).backup;
    let round = 0;
    await eachFault(
      files,
      kind,
      async () => {
        await fixture.put("d", { round: (round += 1) });
        ({ number } = (await fixture.backup("b.zip", { container: "ZIP" })).backup);
      },
      async (error) => {
        expectTyped(error);
        expect((await readWholeBackup(join(fixture.root, "b.zip"))).number).toBeGreaterThanOrEqual(
          number,
        );
      },
    );
    await fixture.backup("b.zip", { container: "ZIP" });
    expect(readdirSync(fixture.root).sort()).toEqual(["b.zip", "data"]);
    expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
  });

  test("a restore is all or nothing, and the host continues to serve", async () => {
    const files = faultyFileSystem();
    const fixture = await hostFixture({
      platform: { ...systemPlatform, files, lease: { expiryMs: 300, heartbeatMs: 50 } },
    });
    await fixture.put("d", { state: "backed up" });
    await fixture.backup("dir");
    let round = 0;
    await eachFault(
      files,
      kind,
      async () => {
        await fixture.put("d", { round: (round += 1) });
        await fixture.restore("dir");
      },
      async (error) => {
        expectTyped(error);
        const expected = { d: error ? JSON.stringify({ round }) : '{"state":"backed up"}' };
        expect(await fixture.contents()).toEqual(expected);
        await fixture.put("other", {});
        await fixture.host.documents.delete("/things/other");
        // A restart serves the same documents.
        await fixture.restart();
        expect(await fixture.contents()).toEqual(expected);
        expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
      },
    );
    expect(await fixture.contents()).toEqual({ d: '{"state":"backed up"}' });
    const generations = () =>
      readdirSync(join(fixture.root, "data", "document-index")).filter((name) =>
        name.startsWith("generation-"),
      ).length;
    // The oldest generation is removed after the response, once its readers have closed it.
    await eventually(() => generations() <= 2);
  });
});
