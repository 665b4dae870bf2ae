import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { HoldfastClient } from "../../clients/typescript/src/index.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { cuttingProxy, type CuttingProxy } from "../support/cutting-proxy.js";

let fixture: HostFixture;
let proxy: CuttingProxy;
let client: HoldfastClient;
beforeEach(async () => {
  fixture = await hostFixture();
  for (let i = 0; i < 60; i += 1)
    await fixture.put(`n${i}`, {
      text: createHash("sha512").update(String(i)).digest("hex").repeat(400),
    });
  proxy = await cuttingProxy(fixture.host.grpcAddress.port);
  client = new HoldfastClient({ address: proxy.address });
});
afterEach(async () => {
  client.close();
  await proxy.close();
});
const to = () => join(fixture.root, "backup.zip");

/** Stops a call after its first chunk. */
async function stopped(
  options: Parameters<HoldfastClient["downloadBackup"]>[1] = {},
): Promise<void> {
  const stop = new AbortController();
  await expect(
    client.downloadBackup(to(), {
      ...options,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    }),
  ).rejects.toThrow();
  expect(existsSync(`${to()}.partial`)).toBe(true);
}

test("a download resumes after a restart of the host; another request makes a new backup", async () => {
  await stopped({ store: true });
  await fixture.restart();
  proxy.leadTo(fixture.host.grpcAddress.port);
  const seen: bigint[] = [];
  const done = await client.downloadBackup(to(), {
    store: true,
    onProgress: ({ bytes }) => seen.push(bytes),
  });
  expect(seen[0]).toBeGreaterThan(1n << 20n);
  expect(createHash("sha256").update(readFileSync(to())).digest("hex")).toBe(done.sha256);
  expect(existsSync(`${to()}.partial.json`)).toBe(false);
  await stopped({ store: true });
  const other = await client.downloadBackup(to(), { since: done.backup.manifestSha256 });
  expect(other.sizeBytes).toBeLessThan(10_000n);
});

test("a download starts over if its transfer is gone, and refuses a damaged partial file", async () => {
  await stopped({ store: true });
  await client.management.deleteTransfer({
    name: (await client.management.listTransfers({})).transfers[0]?.name ?? "",
  });
  expect((await client.downloadBackup(to(), { store: true })).backup.documents).toBe(60n);
  await stopped({ store: true });
  const partial = readFileSync(`${to()}.partial`);
  writeFileSync(`${to()}.partial`, Buffer.concat([Buffer.from("damage"), partial.subarray(6)]));
  await expect(client.downloadBackup(to(), { store: true })).rejects.toMatchObject({
    codeName: "DATA_LOSS",
  });
  expect((await client.downloadBackup(to(), { store: true, resume: false })).backup.documents).toBe(
    60n,
  );
});

test("an upload resumes after interruptions; a foreign file fails at once and leaves no transfer", async () => {
  await client.downloadBackup(to(), { store: true });
  proxy.cutAfter("up", 1_500_000);
  expect((await client.uploadRestore(to())).result.documents).toBe(60n);
  expect(proxy.cuts()).toBe(1);
  writeFileSync(to(), Buffer.alloc(2 << 20));
  await expect(client.uploadRestore(to())).rejects.toMatchObject({ reason: "BACKUP_FOREIGN" });
  expect((await client.management.listTransfers({})).transfers).toEqual([]);
});

test("a wait reports the failure of an operation without retries, and survives an interruption", async () => {
  const begun = await client.management.restore({ source: fixture.uri("none") });
  const before = performance.now();
  await expect(client.waitForOperation(begun.name)).rejects.toMatchObject({
    reason: "BACKUP_NOT_FOUND",
  });
  // No server listens on this port. The host retries for a while; the client adds no retries.
  expect(performance.now() - before).toBeLessThan(20_000);
  const operation = await client.management.backup({ destination: fixture.uri("b.zip") });
  proxy.cutAll();
  expect((await client.waitForOperation(operation.name)).backup().verified).toBe(true);
});

test("an interrupted export resumes at the same point in time", async () => {
  const links: string[] = [];
  for await (const { selfLink } of client.exportDocuments("/things")) {
    if (links.length === 10) proxy.cutAll();
    links.push(selfLink);
  }
  expect(new Set(links).size).toBe(60);
});
