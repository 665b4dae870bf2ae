import type { HostError } from "../../src/errors.js";
import type { BackupResult, ContainerKind } from "../../src/service/backups/management-service.js";
import type { HostOptions } from "../../src/host/options.js";
import { long } from "../support/long.js";
import { transferFixture, type TransferFixture } from "../support/transfer-fixture.js";

export interface PlaceUnderTest {
  container: ContainerKind;
  /** Another place, from which it differs in how bytes come and go alone: npm test tries that they do, npm run test:full all of it. */
  like?: string;
  /** Makes a place for the fixture that is about to be made. */
  prepare(): Promise<{ options?: Partial<HostOptions>; uriOf(fixture: TransferFixture): string }>;
}

/** What every place of backups does, wherever it is. */
export function placeContract(what: string, { container, like, prepare }: PlaceUnderTest): void {
  describe(what, () => {
    let fixture: TransferFixture;
    let uri: string;
    /** No answer shows a query: it may hold a secret. */
    const shown = () => uri.replace(/\?.*/, "");
    beforeEach(async () => {
      const { options, uriOf } = await prepare();
      fixture = await transferFixture(undefined, options);
      uri = uriOf(fixture);
      for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, big: "9007199254740993" });
    });
    const backup = (more: object = {}) => fixture.backupTo(uri, { container, ...more });

    test("gives back what was backed up, and nothing of what came after", async () => {
      const before = await fixture.contents();
      const { backup: made, verified, bytesWritten } = await backup();
      expect([made.container, made.uri, made.documents, verified, bytesWritten > 0]).toEqual([
        container,
        shown(),
        20,
        true,
        true,
      ]);
      await fixture.put("d1", { changed: true });
      await fixture.put("new", {});
      await fixture.host.documents.delete("/things/d2");
      expect(await fixture.restoreFrom(uri)).toMatchObject({ documents: 20, warnings: [] });
      expect(await fixture.contents()).toEqual(before);
      expect(fixture.leftovers()).toEqual([]);
    });

    if (like !== undefined && !long) return;

    test("to a moment within the window, and only there", async () => {
      const micros = await fixture.put("d1", { then: true });
      await fixture.put("d1", { later: true });
      await backup();
      await fixture.restoreFrom(uri, { targetTimeMicros: BigInt(micros) });
      expect((await fixture.contents())["d1"]).toBe('{"then":true}');
      await expect(fixture.restoreFrom(uri, { targetTimeMicros: 1n })).rejects.toMatchObject({
        reason: "TARGET_TIME_OUT_OF_RANGE",
      });
      expect(fixture.leftovers()).toEqual([]);
    });

    test("the newest backup is the one that counts", async () => {
      await backup();
      await fixture.put("d3", { second: true });
      await backup();
      await fixture.put("d3", { third: true });
      await fixture.restoreFrom(uri);
      expect((await fixture.contents())["d3"]).toBe('{"second":true}');
    });

    test("is described, listed and verified by the name it was given", async () => {
      const { backup: made }: BackupResult = await backup();
      const { management } = fixture.host;
      expect(await management.describeBackup(uri)).toEqual(made);
      expect(await management.listBackups(uri)).toEqual([
        { name: made.name, uri: made.uri, state: "COMPLETE", backup: made },
      ]);
      expect(await fixture.finish(management.verifyBackup(uri))).toMatchObject({
        records: 20,
        backup: { uri: shown() },
      });
      await expect(
        management.describeBackup(uri, "manifest-0000000009-0123456789abcdef.json"),
      ).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
      expect(fixture.leftovers()).toEqual([]);
    });

    test("validating writes nothing, and what is not there is not restored", async () => {
      expect(await backup({ validateOnly: true })).toMatchObject({ bytesWritten: 0 });
      const before = await fixture.contents();
      const error = await fixture.restoreFrom(uri).then(
        () => undefined,
        (thrown: unknown) => thrown as HostError,
      );
      expect(["BACKUP_NOT_FOUND", "DESTINATION_REFUSED"]).toContain(error?.reason);
      expect(await fixture.contents()).toEqual(before);
      await backup();
      await fixture.put("d0", { changed: true });
      expect(await fixture.restoreFrom(uri, { validateOnly: true })).toMatchObject({
        documents: 20,
      });
      expect((await fixture.contents())["d0"]).toBe('{"changed":true}');
      expect(fixture.leftovers()).toEqual([]);
    });

    test("a backup that is cancelled leaves no trace here", async () => {
      const { management, operations } = fixture.host;
      const { name } = await management.backup({
        destination: uri,
        container,
        indexLink: "/core/document-index",
      });
      await operations.cancel(name);
      expect(operations.get(name).error?.reason).toBe("OPERATION_CANCELLED");
      expect(fixture.leftovers()).toEqual([]);
      await backup();
      await fixture.restoreFrom(uri);
    });
  });
}
