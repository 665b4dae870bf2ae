import { setTimeout as sleep } from "node:timers/promises";
import type { Destination, Lock } from "../../src/destination/destination.js";
import { S3Scheme } from "../../src/destination/s3/scheme.js";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import {
  bytesAt,
  namesBelow,
  s3Fixture,
  shortLease,
  shortTransfer,
} from "../support/s3-fixture.js";
import { s3Proxy, type S3Proxy } from "../support/s3-proxy.js";
import {
  haveRclone,
  haveVersitygw,
  laxStore,
  strictStore,
  type S3Store,
} from "../support/s3-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const { signal } = new AbortController();
let count = 0;

/** A destination of another host at the prefix: it shares nothing with the others but the store. */
async function openDestination(uri: string, transfer = shortTransfer): Promise<Destination> {
  const scheme = new S3Scheme({
    platform: { ...systemPlatform, transfer, lease: shortLease },
    policy: { allowPrivate: true, allowed: [] },
    tls: {},
    temporaryDirectory: temporaryDirectory(),
  });
  const { destination } = await scheme.open({ uri, purpose: "write objects" });
  await destination.probe?.(signal);
  return destination;
}

/** The pause before a retry exceeds the limit, so that a lost response is never repeated. */
const withoutRetries = { ...shortTransfer, backOffMs: 5000 };

const isHeld = (lock: Lock) =>
  lock.assertHeld().then(
    () => true,
    () => false,
  );

(haveVersitygw ? describe : describe.skip)("the lock of a prefix", () => {
  let store: S3Store;
  let proxy: S3Proxy;
  let uri: string;
  let prefix: string;
  beforeAll(async () => {
    store = await strictStore();
    proxy = await s3Proxy(store);
  });
  beforeEach(() => {
    proxy.reset();
    prefix = `l${(count += 1)}/`;
    uri = `${proxy.uri}/l${count}`;
  });

  test("survives renewals whose responses are lost beyond all retries", async () => {
    const destination = await openDestination(uri, withoutRetries);
    const lock = await destination.lock(undefined, signal);
    proxy.fault = ({ kind, nth }) =>
      kind === "PUT lease" && nth === 3 ? { cut: "after" } : undefined;
    await eventually(() => (proxy.counts()["PUT lease"] ?? 0) > 6);
    expect(proxy.faults).toBe(1);
    expect(lock.signal.aborted).toBe(false);
    expect(await isHeld(lock)).toBe(true);
    await lock.release();
    expect(await namesBelow(store, prefix)).toEqual([]);
  });

  test("is released if its acquisition fails after the store has executed it", async () => {
    const destination = await openDestination(uri, withoutRetries);
    proxy.fault = ({ kind, nth }) =>
      kind === "PUT lease" && nth === 1 ? { cut: "after" } : undefined;
    await expect(destination.lock(undefined, signal)).rejects.toMatchObject({
      reason: "DESTINATION_UNREACHABLE",
    });
    expect(await namesBelow(store, prefix)).toEqual([]);
  });

  test("is released if its acquisition is cancelled", async () => {
    const destination = await openDestination(uri);
    const cancel = new AbortController();
    proxy.fault = ({ kind, nth }) => {
      if (kind !== "PUT lease" || nth > 1) return undefined;
      setTimeout(() => cancel.abort(new Error("cancelled")), 50);
      return { stall: "after" };
    };
    await expect(destination.lock(undefined, cancel.signal)).rejects.toThrow("cancelled");
    expect(await namesBelow(store, prefix)).toEqual([]);
  });

  test("of the next owner survives a late removal by the previous one", async () => {
    const first = await openDestination(uri);
    const second = await openDestination(
      `s3+http://127.0.0.1:${store.port}/${store.bucket}/l${count}`,
    );
    const lock = await first.lock(undefined, signal);
    const next = second.lock(undefined, signal);
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    proxy.fault = ({ kind }) => (kind === "DELETE lease" ? { hold: held } : undefined);
    const released = lock.release();
    const taken = await next;
    letGo();
    await released;
    expect(proxy.faults).toBe(1);
    expect(Buffer.from(await bytesAt(store, `${prefix}.holdfast-lease`)).toString()).toContain(
      taken.owner,
    );
    // Renewed several times, so that a removed object would have been noticed.
    await sleep(5 * (shortLease.heartbeatMs ?? 0));
    expect(taken.signal.aborted).toBe(false);
    await taken.release();
    expect(await namesBelow(store, prefix)).toEqual([]);
  });

  test("is lost by an owner that is cut off, which then neither stores nor removes anything", async () => {
    const first = await openDestination(uri, { ...shortTransfer, retryTimeoutMs: 200 });
    const second = await openDestination(
      `s3+http://127.0.0.1:${store.port}/${store.bucket}/l${count}`,
    );
    const lock = await first.lock(undefined, signal);
    const bytes = Buffer.from("1");
    await first.put("kept", { bytes }, { signal, sizeBytes: 1, sha256: "" });
    proxy.fault = () => ({ cut: "before" });
    const taken = await second.lock(undefined, signal);
    proxy.fault = undefined;
    expect(await isHeld(lock)).toBe(false);
    await expect(first.remove(["kept"], { signal, lock })).rejects.toMatchObject({
      reason: "DESTINATION_BUSY",
    });
    await lock.release();
    expect(await isHeld(taken)).toBe(true);
    expect(await namesBelow(store, prefix)).toEqual([".holdfast-lease", "kept"]);
    await taken.release();
  });

  test("the check of a store that is cancelled does not fail another one", async () => {
    const scheme = new S3Scheme({
      platform: { ...systemPlatform, transfer: shortTransfer, lease: shortLease },
      policy: { allowPrivate: true, allowed: [] },
      tls: {},
      temporaryDirectory: temporaryDirectory(),
    });
    const { destination } = await scheme.open({ uri, purpose: "write objects" });
    const cancel = new AbortController();
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    proxy.fault = ({ kind, nth }) => (kind === "LOCKS" && nth === 1 ? { hold: held } : undefined);
    const cancelled = destination.probe!(cancel.signal);
    const other = destination.probe!(signal);
    await eventually(() => proxy.faults === 1);
    cancel.abort(new Error("cancelled"));
    await expect(cancelled).rejects.toThrow("cancelled");
    letGo();
    expect((await other).find(({ name }) => name === "conditional create")).toMatchObject({
      enforced: true,
    });
    await eventually(async () => (await namesBelow(store, prefix)).length === 0);
  });
});

for (const [what, have, open] of [
  ["that enforces conditions", haveVersitygw, strictStore],
  ["that enforces nothing", haveRclone, laxStore],
] as const) {
  (have ? test : test.skip)(
    `two hosts at one prefix of a store ${what} lose nothing`,
    async () => {
      const store = await open();
      const uri = `${store.uri}/two`;
      const hosts = [await s3Fixture(), await s3Fixture()] as const;
      const rounds = 8;
      const failures: unknown[] = [];
      const last: { manifest: string; contents: Record<string, string> }[] = [];
      await Promise.all(
        hosts.map(async (host, i) => {
          for (let round = 0; round < rounds; round += 1) {
            await host.put(`d${round}`, { host: i, round });
            const contents = await host.contents();
            try {
              const { backup } = await host.backupTo(uri);
              last[i] = { manifest: backup.name, contents };
              // Every reported backup is there, whatever the other host does.
              await host.finish(host.host.management.verifyBackup(uri, backup.name));
            } catch (error) {
              failures.push(error);
            }
          }
        }),
      );
      expect(failures).toEqual([]);
      for (const [i, host] of hosts.entries()) {
        await host.restoreFrom(uri, { manifest: last[i]!.manifest });
        expect(await host.contents()).toEqual(last[i]!.contents);
        expect(host.leftovers()).toEqual([]);
      }
      const names = await namesBelow(store, "two/");
      expect(names.filter((name) => /^manifest-.*\.json$/.test(name))).toHaveLength(2);
      expect(names.filter((name) => name.startsWith(".holdfast"))).toEqual([]);
    },
    120_000,
  );
}
