import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import type { Retention } from "../../src/destination/destination.js";
import { systemPlatform } from "../../src/io/platform.js";
import {
  namesBelow as allBelow,
  s3Fixture,
  straysBelow,
  type S3Fixture,
} from "../support/s3-fixture.js";
import { s3Proxy } from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";

const hourMs = 3_600_000;
const describeStore = haveVersitygw ? describe : describe.skip;

let store: S3Store;
let fixture: S3Fixture;
let uri: string;
let prefix: string;
let count = 0;
/** How far the clock of the host is ahead, in milliseconds. */
let aheadMs = 0;

async function open(): Promise<void> {
  aheadMs = 0;
  prefix = `o${(count += 1)}/`;
  uri = `${store.uri}/o${count}`;
  fixture = await s3Fixture({ nowMicros: () => systemPlatform.nowMicros() + aheadMs * 1000 });
  await fixture.put("a", { first: 1 });
}

/** Locks end at whole seconds, as stores keep them. */
const until = (hours: number, mode: Retention["mode"] = "GOVERNANCE"): Retention => ({
  mode,
  untilMs: (Math.floor(Date.now() / 1000) + hours * 3600) * 1000,
});

/**
 * Without the lease, whose mark of the release stays: this store does not create an object again that has
 * a delete marker.
 */
const namesBelow = async (from: S3Store, below: string) =>
  (await allBelow(from, below)).filter((name) => name !== ".holdfast-lease");

async function lockOf(name: string) {
  const { ObjectLockMode, ObjectLockRetainUntilDate, VersionId } = await store.client.send(
    new HeadObjectCommand({ Bucket: store.bucket, Key: `${prefix}${name}` }),
  );
  return { mode: ObjectLockMode, untilMs: ObjectLockRetainUntilDate?.getTime(), VersionId };
}

describeStore("a backup in a bucket with object lock", () => {
  beforeAll(async () => void (store = await strictStore({ objectLock: true })));
  beforeEach(open);

  test("is locked, so that the store refuses to remove its files", async () => {
    const retention = until(1, "COMPLIANCE");
    await fixture.backupTo(uri, { retention });
    const names = await namesBelow(store, prefix);
    expect(names).toHaveLength(3);
    for (const name of names) {
      const { VersionId, ...lock } = await lockOf(name);
      expect(lock).toEqual({ mode: "COMPLIANCE", untilMs: retention.untilMs });
      const removal = new DeleteObjectCommand({
        Bucket: store.bucket,
        Key: `${prefix}${name}`,
        VersionId,
      });
      await expect(store.client.send(removal)).rejects.toMatchObject({ name: "AccessDenied" });
    }
    await fixture.put("a", { lost: 1 });
    await fixture.restoreFrom(uri);
    expect(await fixture.contents()).toEqual({ a: '{"first":1}' });
  });

  test.each([
    ["a later time", until(1), until(5), { mode: "GOVERNANCE", hours: 5 }],
    ["an earlier time", until(5), until(1), { mode: "GOVERNANCE", hours: 5 }],
    [
      "a weaker mode and a later time",
      until(1, "COMPLIANCE"),
      until(5),
      { mode: "COMPLIANCE", hours: 5 },
    ],
  ] as const)(
    "extends the lock of the segments that it keeps to %s",
    async (_what, first, second, wanted) => {
      const { backup } = await fixture.backupTo(uri, { retention: first });
      const base = backup.segments[0]!.name;
      await fixture.put("a", { second: 2 });
      const result = await fixture.backupTo(uri, { retention: second });
      expect(result.backup.segments.map(({ name }) => name)).toContain(base);
      const untilMs = [first, second].find(
        (one) => one.untilMs > Date.now() + (wanted.hours - 1) * hourMs,
      )?.untilMs;
      expect(await lockOf(base)).toMatchObject({ mode: wanted.mode, untilMs });
      expect(await lockOf(result.backup.name)).toMatchObject(second);
    },
  );

  test("reports a lock whose mode the store does not change, and locks a new base", async () => {
    await fixture.backupTo(uri, { retention: until(5) });
    const kept = await namesBelow(store, prefix);
    await fixture.put("a", { second: 2 });
    const retention = until(1, "COMPLIANCE");
    await expect(fixture.backupTo(uri, { retention })).rejects.toMatchObject({
      reason: "DESTINATION_REFUSED",
      message: expect.stringMatching(
        /^Cannot lock s3.*\/base-.* in mode COMPLIANCE: it is locked in mode GOVERNANCE, .* back up with full\.$/,
      ) as string,
    });
    expect(await namesBelow(store, prefix)).toEqual(expect.arrayContaining(kept));
    const { backup } = await fixture.backupTo(uri, { retention, full: true });
    expect(await lockOf(backup.segments[0]!.name)).toMatchObject(retention);
  });

  test("pruning keeps and reports locked files, and removes them when their locks have ended", async () => {
    const { management } = fixture.host;
    const retention = until(1);
    const { backup } = await fixture.backupTo(uri, { retention });
    const names = (await namesBelow(store, prefix)).sort();
    for (const validateOnly of [true, false]) {
      expect(await management.pruneBackups(uri, [backup.name], validateOnly)).toMatchObject({
        removedBackups: [],
        removedFiles: [],
        lockedFiles: expect.arrayContaining([
          { name: backup.name, untilMs: retention.untilMs },
        ]) as unknown,
      });
    }
    expect((await namesBelow(store, prefix)).sort()).toEqual(names);
    aheadMs = 2 * hourMs;
    const plan = await management.pruneBackups(uri, [backup.name], true);
    const result = await management.pruneBackups(uri, [backup.name]);
    expect(result).toEqual(plan);
    expect(result).toMatchObject({ removedFiles: names, lockedFiles: [] });
    expect(await namesBelow(store, prefix)).toEqual([]);
  });

  test("a segment whose lock ends after that of its manifest is removed by a later backup", async () => {
    const { backup } = await fixture.backupTo(uri, { retention: until(1) });
    const segment = backup.segments[0]!.name;
    // As a backup does that is interrupted before its manifest.
    await store.client.send(
      new PutObjectRetentionCommand({
        Bucket: store.bucket,
        Key: `${prefix}${segment}`,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(until(5).untilMs) },
      }),
    );
    aheadMs = 2 * hourMs;
    const { management } = fixture.host;
    expect(await management.pruneBackups(uri, [backup.name])).toMatchObject({
      removedFiles: [backup.name, `${backup.name}.sig`],
      lockedFiles: [{ name: segment }],
    });
    await fixture.put("a", { second: 2 });
    await fixture.backupTo(uri, { full: true });
    expect(await namesBelow(store, prefix)).toContain(segment);
    aheadMs = 6 * hourMs;
    await fixture.put("a", { later: 1 });
    await fixture.backupTo(uri);
    expect(await namesBelow(store, prefix)).not.toContain(segment);
    expect(await straysBelow(store, prefix)).toEqual([".holdfast-lease"]);
  });

  test("later backups keep locked ones restorable, and remove them when their locks have ended", async () => {
    const first = await fixture.backupTo(uri, { retention: until(1) });
    await fixture.put("a", { second: 2 });
    await fixture.backupTo(uri, { full: true });
    const { management } = fixture.host;
    expect((await management.listBackups(uri)).map(({ state }) => state)).toEqual([
      "COMPLETE",
      "COMPLETE",
    ]);
    await fixture.finish(management.verifyBackup(uri, first.backup.name));
    aheadMs = 2 * hourMs;
    await fixture.put("a", { third: 3 });
    await fixture.backupTo(uri);
    expect(await management.listBackups(uri)).toHaveLength(1);
    expect(await straysBelow(store, prefix)).toEqual([".holdfast-lease"]);
  });

  test("a backup that takes longer than its lock fails and states it", async () => {
    const platform = {
      failpoint: async (name: string) => {
        if (name === "backup:segment-staged") aheadMs = 2 * hourMs;
      },
      nowMicros: () => systemPlatform.nowMicros() + aheadMs * 1000,
    };
    const host = await s3Fixture(platform);
    await host.put("a", { first: 1 });
    await expect(host.backupTo(uri, { retention: until(1) })).rejects.toMatchObject({
      reason: "REQUEST_INVALID",
      message: expect.stringMatching(
        /the lock ended at .*, before the backup was complete/,
      ) as string,
    });
  });

  test("is hidden by a removal without a version, and is back when its delete markers are removed", async () => {
    await fixture.backupTo(uri, { retention: until(1, "COMPLIANCE") });
    const { client, bucket: Bucket } = store;
    for (const name of await namesBelow(store, prefix))
      await client.send(new DeleteObjectCommand({ Bucket, Key: `${prefix}${name}` }));
    await expect(fixture.restoreFrom(uri)).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
    // As docs/object-stores.md describes.
    const { DeleteMarkers = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket, Prefix: prefix }),
    );
    for (const { Key, VersionId } of DeleteMarkers)
      await client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
    await fixture.put("a", { lost: 1 });
    await fixture.restoreFrom(uri);
    expect(await fixture.contents()).toEqual({ a: '{"first":1}' });
  });

  test("a locked archive is replaced, and its locked version stays", async () => {
    const archive = `${uri}/b.zip`;
    await fixture.backupTo(archive, { container: "ZIP", retention: until(1, "COMPLIANCE") });
    const { VersionId } = await lockOf("b.zip");
    await fixture.put("a", { second: 2 });
    const { warnings } = await fixture.backupTo(archive, { container: "ZIP" });
    expect(warnings).toEqual([
      expect.stringMatching(/b\.zip is locked until 20.*older version of the object/),
    ]);
    expect((await fixture.backupTo(archive, { container: "ZIP" })).warnings).toEqual([]);
    await fixture.restoreFrom(archive);
    expect(await fixture.contents()).toEqual({ a: '{"second":2}' });
    const { Versions = [] } = await store.client.send(
      new ListObjectVersionsCommand({ Bucket: store.bucket, Prefix: `${prefix}b.zip` }),
    );
    expect(Versions.map((one) => one.VersionId)).toContain(VersionId);
  });
});

test("a lock that ends before a backup could be complete is refused at once", async () => {
  const host = await s3Fixture();
  const retention: Retention = { mode: "GOVERNANCE", untilMs: Date.now() + 30_000 };
  await expect(host.backupTo("s3://bucket/p", { retention })).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
    message: expect.stringMatching(/not at least 60 seconds from now/) as string,
  });
});

describeStore("a bucket without object lock", () => {
  test.each(["DIRECTORY", "ZIP"] as const)(
    "a locked backup of type %s fails before it is written",
    async (container) => {
      store = await strictStore();
      await open();
      const proxy = await s3Proxy(store);
      const destination = `${proxy.uri}/o${count}${container === "ZIP" ? "/b.zip" : ""}`;
      const locked = { container, retention: until(1) };
      await expect(
        fixture.backupTo(destination, { ...locked, validateOnly: true }),
      ).rejects.toMatchObject({ reason: "NOT_SUPPORTED" });
      const backup = fixture.backupTo(destination, locked);
      await expect(backup).rejects.toMatchObject({
        reason: "NOT_SUPPORTED",
        message: expect.stringMatching(
          /^Cannot lock the backup at .*: .* no object lock\. Use an s3: destination whose bucket has object lock/,
        ) as string,
      });
      expect(await namesBelow(store, prefix)).toEqual([]);
      // The check finds out what the store supports, and removes its object.
      const kinds = Object.keys(proxy.counts()).filter((kind) => kind.startsWith("PUT"));
      expect(kinds).toEqual(["PUT check"]);
    },
  );
});

describeStore("a bucket with versioning", () => {
  test("a lease that was released is no incomplete backup", async () => {
    store = await strictStore({ versioning: true });
    await open();
    const { management } = fixture.host;
    await fixture.backupTo(uri);
    const [only] = await management.listBackups(uri);
    await management.pruneBackups(uri, [only!.name]);
    expect(await allBelow(store, prefix)).toEqual([".holdfast-lease"]);
    expect(await management.listBackups(uri, { recursive: true })).toEqual([]);
  });

  test("removed objects become delete markers, and backups are not affected by them", async () => {
    store = await strictStore({ versioning: true });
    await open();
    const { backup } = await fixture.backupTo(uri);
    await fixture.put("a", { second: 2 });
    await fixture.backupTo(uri, { full: true });
    const { management } = fixture.host;
    expect(await management.listBackups(uri)).toHaveLength(1);
    expect(await straysBelow(store, prefix)).toEqual([".holdfast-lease"]);
    await fixture.put("a", { lost: 3 });
    await fixture.restoreFrom(uri);
    expect(await fixture.contents()).toEqual({ a: '{"second":2}' });
    const [last] = await management.listBackups(uri);
    await management.pruneBackups(uri, [last!.name]);
    expect(await namesBelow(store, prefix)).toEqual([]);
    const { DeleteMarkers = [], Versions = [] } = await store.client.send(
      new ListObjectVersionsCommand({ Bucket: store.bucket, Prefix: prefix }),
    );
    for (const name of [backup.name, backup.segments[0]!.name]) {
      const isOf = ({ Key }: { Key?: string }) => Key === `${prefix}${name}`;
      expect(DeleteMarkers.filter(isOf)).toHaveLength(1);
      expect(Versions.filter(isOf)).toHaveLength(1);
    }
  });
});
