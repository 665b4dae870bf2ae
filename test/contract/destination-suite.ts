import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { HostError } from "../../src/errors.js";
import type { BackupRequest, BackupResult } from "../../src/backup/backup-request.js";
import type { DecryptWith } from "../../src/encoding/encoding-call.js";
import type { ContainerKind } from "../../src/segment/description.js";
import type { HostOptions } from "../../src/host/options.js";
import { long } from "../support/long.js";
import { transferFixture, type TransferFixture } from "../support/transfer-fixture.js";

export interface DestinationUnderTest {
  container: ContainerKind;
  /** Whether only the transport of bytes differs from another destination: npm test then runs one of its tests, npm run test:full all. */
  like?: string;
  /** Warnings of each backup. Default: none. */
  warnings?: readonly unknown[];
  /** Fields that every backup, and every read of it, has in addition. Default: none. */
  requests?(): { backup?: Partial<BackupRequest>; read?: { decryptWith: DecryptWith } };
  /** Creates a destination for the fixture under construction. */
  prepare(): Promise<{ options?: Partial<HostOptions>; uriOf(fixture: TransferFixture): string }>;
}

/** The guarantees of a backup at every destination. */
export function destinationContract(
  what: string,
  { container, like, warnings = [], requests = () => ({}), prepare }: DestinationUnderTest,
): void {
  describe(what, () => {
    let fixture: TransferFixture;
    let uri: string;
    /** Responses never show the query of a URI, which may contain a secret. */
    const shown = () => uri.replace(/\?.*/, "");
    let request: Partial<BackupRequest> = {};
    let read: { decryptWith?: DecryptWith } = {};
    beforeEach(async () => {
      ({ backup: request = {}, read = {} } = requests());
      const { options, uriOf } = await prepare();
      fixture = await transferFixture(undefined, options);
      uri = uriOf(fixture);
      for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, big: "9007199254740993" });
    });
    const backup = (more: object = {}) => fixture.backupTo(uri, { container, ...request, ...more });
    const restore = (more: object = {}) => fixture.restoreFrom(uri, { ...read, ...more });

    test("restores the backed-up documents and discards later changes", async () => {
      const before = await fixture.contents();
      const { backup: made, verified, bytesWritten } = await backup();
      expect(made).toMatchObject({ container, uri: shown(), documents: 20 });
      expect(verified).toBe(true);
      expect(bytesWritten).toBeGreaterThan(0);
      await fixture.put("d1", { changed: true });
      await fixture.put("new", {});
      await fixture.host.documents.delete("/things/d2");
      expect(await restore()).toMatchObject({ documents: 20, warnings: [] });
      expect(await fixture.contents()).toEqual(before);
      expect(fixture.leftovers()).toEqual([]);
    });

    if (like !== undefined && !long) return;

    test("restores to a point in time within the window, and rejects others", async () => {
      const micros = await fixture.put("d1", { then: true });
      await fixture.put("d1", { later: true });
      await backup();
      await restore({ targetTimeMicros: BigInt(micros) });
      expect((await fixture.contents())["d1"]).toBe('{"then":true}');
      await expect(restore({ targetTimeMicros: 1n })).rejects.toMatchObject({
        reason: "TARGET_TIME_OUT_OF_RANGE",
      });
      expect(fixture.leftovers()).toEqual([]);
    });

    test("restores the newest backup by default", async () => {
      await backup();
      await fixture.put("d3", { second: true });
      await backup();
      await fixture.put("d3", { third: true });
      await restore();
      expect((await fixture.contents())["d3"]).toBe('{"second":true}');
    });

    test("describes, lists and verifies a backup by its URI", async () => {
      const { backup: made }: BackupResult = await backup();
      const { management } = fixture.host;
      // An archive that is encrypted as a whole does not name its recipients.
      const described =
        made.encryption && container !== "DIRECTORY"
          ? { ...made, encryption: { recipients: [] } }
          : made;
      expect(await management.describeBackup(uri, undefined, read)).toEqual(described);
      expect(await management.listBackups(uri, read)).toEqual([
        { name: made.name, uri: made.uri, state: "COMPLETE", backup: described },
      ]);
      expect(
        await fixture.finish(
          management.verifyBackup(uri, undefined, { level: "FULL", samplePercent: 100, ...read }),
        ),
      ).toMatchObject({
        records: 20,
        backup: { uri: shown() },
      });
      await expect(
        management.describeBackup(uri, "manifest-0000000009-0123456789abcdef.json", read),
      ).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
      expect(fixture.leftovers()).toEqual([]);
    });

    test("lists backups below it, whatever their names", async () => {
      // The namespaces of an object in memory, and of a server, cannot be listed.
      if (!/^(file|s3)/.test(uri)) return;
      const names = ["plain", "a b", "c+d", "e%41", "g#h?i", "ü", "&=;@"];
      const within = container === "DIRECTORY" ? uri : uri.replace(/\/[^/]*$/, "/below");
      const suffix = container === "DIRECTORY" ? "" : "/b c.zip";
      const uris = names.map((name) => `${within}/${encodeURIComponent(name)}${encodeURI(suffix)}`);
      for (const each of uris) {
        if (each.startsWith("file:")) mkdirSync(dirname(fileURLToPath(each)), { recursive: true });
        await fixture.backupTo(each, { container, ...request });
      }
      const listed = await fixture.host.management.listBackups(within, {
        ...read,
        recursive: true,
      });
      expect(listed.map(({ state }) => state)).toEqual(names.map(() => "COMPLETE"));
      expect(new Set(listed.map((one) => decodeURIComponent(one.uri)))).toEqual(
        new Set(uris.map(decodeURIComponent)),
      );
    });

    test("a dry run writes nothing, and a missing backup is not restored", async () => {
      expect(await backup({ validateOnly: true })).toMatchObject({ bytesWritten: 0 });
      const before = await fixture.contents();
      const error = await restore().then(
        () => undefined,
        (thrown: unknown) => thrown as HostError,
      );
      expect(["BACKUP_NOT_FOUND", "DESTINATION_REFUSED"]).toContain(error?.reason);
      expect(await fixture.contents()).toEqual(before);
      await backup();
      await fixture.put("d0", { changed: true });
      expect(await restore({ validateOnly: true })).toMatchObject({
        documents: 20,
      });
      expect((await fixture.contents())["d0"]).toBe('{"changed":true}');
      expect(fixture.leftovers()).toEqual([]);
    });

    if (container === "DIRECTORY") {
      test("later backups are incremental, and pruning removes only segments without a backup", async () => {
        await backup();
        for (const round of [1, 2]) {
          await fixture.put("d1", { round });
          expect(await backup()).toMatchObject({
            segmentsWritten: 1,
            verified: true,
            warnings,
          });
        }
        expect(await backup({ validateOnly: true })).toMatchObject({ plan: { kind: "UNCHANGED" } });
        expect(await backup()).toMatchObject({ segmentsWritten: 0 });
        const expected = await fixture.contents();
        await fixture.put("d1", { full: true });
        const { backup: full } = await backup({ full: true });
        const { management } = fixture.host;
        const listed = await management.listBackups(uri, read);
        expect(listed.map(({ state }) => state)).toEqual(["COMPLETE"]);
        expect(full.segments).toMatchObject([{ kind: "base" }]);
        await expect(management.pruneBackups(uri, ["manifest-none"])).rejects.toMatchObject({
          reason: "BACKUP_NOT_FOUND",
        });
        await fixture.put("d2", { after: "full" });
        await backup();
        await restore();
        expect(await fixture.contents()).toEqual({
          ...expected,
          d1: '{"full":true}',
          d2: '{"after":"full"}',
        });
      });

      test("compares and exports a point in time", async () => {
        const micros = await fixture.put("d1", { then: true });
        await backup();
        await fixture.put("d1", { later: true });
        const { inspection } = fixture.host.management;
        const indexLink = "/core/document-index";
        const from = { uri, indexLink, targetTimeMicros: BigInt(micros), ...read };
        const never = new AbortController().signal;
        const differences = [];
        for await (const one of inspection.diff(from, { indexLink }, undefined, never))
          differences.push(one);
        expect(differences).toMatchObject([
          { link: "/things/d1", change: "CHANGED" },
          { created: 0, changed: 1, deleted: 0, unchanged: 19 },
        ]);
        const links = [];
        for await (const { link } of inspection.export(from, undefined, never)) links.push(link);
        expect(links).toHaveLength(20);
        expect(fixture.leftovers()).toEqual([]);
      });
    }

    test("a cancelled backup leaves no objects", async () => {
      const { management, operations } = fixture.host;
      const { name } = await management.backup({
        destination: uri,
        container,
        indexLink: "/core/document-index",
        ...request,
      });
      await operations.cancel(name);
      expect(operations.get(name).error?.reason).toBe("OPERATION_CANCELLED");
      expect(fixture.leftovers()).toEqual([]);
      await backup();
      await restore();
    });
  });
}
