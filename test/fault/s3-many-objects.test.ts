import { s3Fixture, namesBelow, type S3Fixture } from "../support/s3-fixture.js";
import { s3Proxy, type S3Proxy } from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";
import { PutObjectCommand } from "@aws-sdk/client-s3";

const objects = 2000;

(haveVersitygw ? describe : describe.skip)(`a prefix with ${objects} other objects`, () => {
  let store: S3Store;
  let proxy: S3Proxy;
  let fixture: S3Fixture;
  let uri: string;
  beforeAll(async () => {
    store = await strictStore();
    proxy = await s3Proxy(store);
    uri = `${proxy.uri}/many`;
    fixture = await s3Fixture({}, {}, { shared: true });
    await fixture.put("a", { first: 1 });
    // Segments by their names, which no manifest lists, and files of other programs.
    const keys = Array.from({ length: objects }, (_one, i) =>
      i % 2 === 0 ? `many/base-0-${i + 1}-${"0".repeat(16)}.sqlite` : `many/other-${i}`,
    );
    while (keys.length > 0)
      await Promise.all(
        keys
          .splice(0, 20)
          .map((Key) =>
            store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key, Body: "x" })),
          ),
      );
  });
  beforeEach(() => proxy.reset());

  const pages = objects / 1000 + 1;
  /** Requests without those for pages of listings, and without renewals of the lease. */
  const others = () =>
    proxy.requests.filter(({ kind }) => kind !== "LIST" && !kind.endsWith("lease")).length;
  const lists = () => proxy.counts()["LIST"] ?? 0;

  test("backs up, lists, restores, verifies and prunes with few requests", async () => {
    const { management } = fixture.host;
    await fixture.backupTo(uri);
    expect(others()).toBeLessThan(25);
    expect(lists()).toBeLessThanOrEqual(6 * pages);
    for (const [what, work, listings, requests] of [
      ["an incremental backup", () => fixture.backupTo(uri), 7, 20],
      ["a list", () => management.listBackups(uri), 2, 4],
      ["a verification", () => fixture.finish(management.verifyBackup(uri)), 2, 6],
      ["a restore", () => fixture.restoreFrom(uri), 2, 6],
    ] as [string, () => Promise<unknown>, number, number][]) {
      if (what.includes("backup")) await fixture.put("a", { second: 2 });
      proxy.reset();
      await work();
      // On a busy machine, a request may time out and be sent again.
      const few = lists() <= listings * pages + 2;
      expect([what, few, others() <= requests]).toEqual([what, true, true]);
    }
    expect(await fixture.contents()).toEqual({ a: '{"second":2}' });
    const [last] = await management.listBackups(uri);
    proxy.reset();
    await management.pruneBackups(uri, [last!.name]);
    expect(lists()).toBeLessThanOrEqual(4 * pages);
    expect(others()).toBeLessThan(12);
    // Nothing of other writers was removed.
    expect(await namesBelow(store, "many/")).toHaveLength(objects);
  });
});
