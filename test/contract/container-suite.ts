import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ContainerWriter } from "../../src/container/container.js";
import { encodeManifest, type ManifestFile } from "../../src/segment/manifest.js";
import { segmentName } from "../../src/segment/format.js";
import type { LeaseOptions } from "../../src/io/platform-options.js";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import { hostFixture } from "../support/host-fixture.js";
import { unfinishedFiles } from "../support/unfinished-files.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

export interface ContainerUnderTest {
  container: "ZIP" | "DIRECTORY";
  /** The name of a destination of this container. */
  name: string;
  openWriter(
    platform: Platform,
    path: string,
    signal: AbortSignal,
    lease: LeaseOptions,
  ): Promise<ContainerWriter>;
  leasePath(path: string): string;
}

function emptyManifest(): ManifestFile {
  const content = {
    kind: "base" as const,
    firstMicros: 0,
    lastMicros: 0,
    records: 0,
    prunes: 0,
    sizeBytes: 0,
    sha256: "0".repeat(64),
  };
  return encodeManifest({
    number: 1,
    indexId: "i",
    indexLink: "/core/document-index",
    hostId: "h",
    productVersion: "0",
    lineage: "l",
    parents: [],
    createTimeMicros: 1,
    positionMicros: 0,
    window: { earliestMicros: 1, latestMicros: 1, historyStartMicros: 0 },
    documents: 0,
    versions: 0,
    segments: [{ ...content, name: segmentName(content) }],
    previousManifestSha256: "",
  });
}

/** The guarantees of every container, independent of how it packs the files of a backup. */
export function containerContract({
  container,
  name,
  openWriter,
  leasePath,
}: ContainerUnderTest): void {
  const request = { container };
  const never = new AbortController().signal;

  describe(`${container}: backups`, () => {
    test("restores the state of the backup and discards later writes", async () => {
      const fixture = await hostFixture();
      for (let i = 0; i < 30; i += 1)
        await fixture.put(`d${i}`, { i, n: 9007199254740993n.toString() });
      const before = await fixture.contents();
      const { backup, verified } = await fixture.backup(name, request);
      expect(verified).toBe(true);
      expect(backup).toMatchObject({ number: 1, documents: 30, versions: 30, container });
      await fixture.put("d1", { changed: true });
      await fixture.put("new", {});
      await fixture.host.documents.delete("/things/d2");
      const restored = await fixture.restore(name);
      expect(restored).toMatchObject({ documents: 30, versions: 30, warnings: [] });
      expect(await fixture.contents()).toEqual(before);
    });

    test("later backups to the same destination continue the numbering, contain the newer state and leave no other files", async () => {
      const fixture = await hostFixture();
      const states = [];
      for (let round = 1; round <= 4; round += 1) {
        await fixture.put("d", { round });
        await fixture.put(`only${round}`, {});
        states.push(await fixture.contents());
        expect((await fixture.backup(name, request)).backup).toMatchObject({
          number: round,
          documents: round + 1,
        });
      }
      expect(await fixture.host.management.listBackups(fixture.uri(name))).toHaveLength(1);
      expect(await unfinishedFiles(fixture.root)).toEqual([]);
      await fixture.put("d", { round: 99 });
      await fixture.restore(name);
      expect(await fixture.contents()).toEqual(states[3]);
    });

    test("backs up and restores an empty index", async () => {
      const fixture = await hostFixture();
      await fixture.backup(name, request);
      await fixture.put("d", {});
      expect(await fixture.restore(name)).toMatchObject({ documents: 0, versions: 0 });
      expect(await fixture.contents()).toEqual({});
      await fixture.put("d", { again: 1 });
      expect(await fixture.contents()).toEqual({ d: '{"again":1}' });
    });

    test("queues two concurrent backups to one destination, and both succeed", async () => {
      const fixture = await hostFixture();
      await fixture.put("d", {});
      const both = await Promise.all([
        fixture.backup(name, request),
        fixture.backup(name, request),
      ]);
      expect(both.map(({ backup }) => backup.number).sort()).toEqual([1, 2]);
      await fixture.finish(fixture.host.management.verifyBackup(fixture.uri(name)));
    });

    test("runs a backup with a request id only once", async () => {
      const fixture = await hostFixture();
      const one = fixture.backup(name, { ...request, requestId: "r1" });
      const two = fixture.backup(name, { ...request, requestId: "r1" });
      expect((await one).backup.name).toBe((await two).backup.name);
      expect((await fixture.backup(name, { ...request, requestId: "r1" })).backup.number).toBe(1);
      await expect(
        fixture.backup("other", { container: "DIRECTORY", requestId: "r1" }),
      ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
    });

    test("validate_only reports problems and changes nothing", async () => {
      const fixture = await hostFixture();
      await fixture.backup(name, { ...request, validateOnly: true });
      expect(existsSync(join(fixture.root, name))).toBe(false);
      await expect(
        fixture.backup(`missing/${name}`, { ...request, validateOnly: true }),
      ).rejects.toMatchObject({ reason: "DESTINATION_MISSING" });
    });
  });

  describe(`${container}: refusals`, () => {
    test("rejects a missing parent directory and an occupied destination", async () => {
      const fixture = await hostFixture();
      await expect(fixture.backup(`no/such/${name}`, request)).rejects.toMatchObject({
        reason: "DESTINATION_MISSING",
      });
      expect(existsSync(join(fixture.root, "no"))).toBe(false);
      const other = join(fixture.root, "taken");
      if (container === "ZIP") mkdirSync(other);
      else writeFileSync(other, "mine");
      await expect(fixture.backup("taken", request)).rejects.toMatchObject({
        reason: "DESTINATION_OCCUPIED",
      });
      if (container === "DIRECTORY") expect(readFileSync(other, "utf8")).toBe("mine");
    });

    test("rejects a missing source and a foreign one, and leaves the index unchanged", async () => {
      const fixture = await hostFixture();
      await fixture.put("d", {});
      await expect(fixture.restore(name)).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
      if (container === "ZIP") writeFileSync(join(fixture.root, name), "PK nonsense");
      else mkdirSync(join(fixture.root, name));
      await expect(fixture.restore(name)).rejects.toMatchObject({
        reason: container === "ZIP" ? "BACKUP_FOREIGN" : "BACKUP_NOT_FOUND",
      });
      expect(await fixture.contents()).toEqual({ d: "{}" });
      await fixture.put("d", { still: "writable" });
    });

    test("rejects a backup of another index unless the index is named", async () => {
      const fixture = await hostFixture();
      const indexLink = "/core/in-memory-document-index";
      await fixture.host.documents.create("/memory-things", '{"documentSelfLink":"m"}');
      await fixture.backup(name, { ...request, indexLink });
      await expect(fixture.restore(name)).rejects.toMatchObject({
        reason: "BACKUP_OF_OTHER_INDEX",
      });
      await fixture.host.documents.delete("/memory-things/m");
      await fixture.restore(name, { indexLink });
      expect((await fixture.host.documents.get("/memory-things/m")).version).toBe(0);
      await fixture.restore(name, { indexNamed: true });
    });
  });

  describe(`${container}: the lease`, () => {
    const quick = { heartbeatMs: 50, expiryMs: 400, waitMs: 5000 };

    test("a second writer waits for the release, and takes over the lease of a silent owner", async () => {
      const root = temporaryDirectory();
      const path = join(root, name);
      const first = await openWriter(systemPlatform, path, never, quick);
      let got = false;
      const second = openWriter(systemPlatform, path, never, quick).then((writer) => {
        got = true;
        return writer;
      });
      // Longer than a lease without a heartbeat lasts.
      await new Promise((resolve) => setTimeout(resolve, 900));
      expect(got).toBe(false);
      await first.close();
      await (await second).close();
      expect(existsSync(leasePath(path))).toBe(false);
      mkdirSync(dirname(leasePath(path)), { recursive: true });
      writeFileSync(leasePath(path), '{"owner":"dead","beat":3}');
      const begun = performance.now();
      await (await openWriter(systemPlatform, path, never, quick)).close();
      expect(performance.now() - begun).toBeGreaterThan(350);
      expect(existsSync(leasePath(path))).toBe(false);
    });

    test("all of many waiting writers acquire it in the end", async () => {
      const path = join(temporaryDirectory(), name);
      // A signal each: Node warns about a leak if so many listen to one.
      const writers = Array.from({ length: 12 }, async () =>
        (await openWriter(systemPlatform, path, new AbortController().signal, quick)).close(),
      );
      await Promise.all(writers);
      expect(existsSync(path)).toBe(false);
    });

    test("an owner that lost its lease stops before it writes the manifest", async () => {
      const path = join(temporaryDirectory(), name);
      const first = await openWriter(systemPlatform, path, never, quick);
      writeFileSync(leasePath(path), '{"owner":"another","beat":0}');
      const commit = first.commit([], emptyManifest(), {
        signal: never,
        store: false,
        readBack: async () => {},
        onBytes: () => {},
      });
      await expect(commit).rejects.toMatchObject({ reason: "DESTINATION_BUSY" });
      await first.close();
      expect(readFileSync(leasePath(path), "utf8")).toContain("another");
      expect(
        readdirSync(join(path, ".."))
          .concat(container === "DIRECTORY" ? readdirSync(path) : [])
          .join(),
      ).not.toMatch(/manifest|zip(?!\.lease)/);
    });

    test("a waiting writer can be cancelled", async () => {
      const path = join(temporaryDirectory(), name);
      const first = await openWriter(systemPlatform, path, never, quick);
      const controller = new AbortController();
      const waiting = openWriter(systemPlatform, path, controller.signal, quick);
      // The point of the wait at which it is cancelled.
      setTimeout(() => controller.abort(), 50);
      await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
      await first.close();
    });
  });
}
