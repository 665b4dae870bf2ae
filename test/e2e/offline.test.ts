import { createClient } from "@connectrpc/connect";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Operations, type Operation } from "../../gen/ts/google/longrunning/operations_pb.js";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { openOffline, type Offline } from "../../src/offline/services.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";

const open = new Set<Offline>();
afterEach(async () => {
  for (const offline of open) await offline.close();
  open.clear();
});

async function offline(fixture: HostFixture, dataDirectory?: string) {
  const opened = await openOffline({
    stateDirectory: join(fixture.root, "state"),
    ...(dataDirectory !== undefined && { dataDirectory }),
  });
  open.add(opened);
  const management = createClient(ManagementService, opened.transport);
  const operations = createClient(Operations, opened.transport);
  const finish = async (started: Promise<Operation>) => {
    let last = await started;
    for await (const next of management.watchOperation({ name: last.name })) last = next;
    return last.result;
  };
  const close = async () => {
    open.delete(opened);
    await opened.close();
  };
  return { management, operations, finish, close };
}

async function backedUp(documents = 5): Promise<HostFixture> {
  const fixture = await hostFixture();
  for (let n = 0; n < documents; n += 1) await fixture.put(`n${n}`, { n });
  await fixture.backup("backup");
  return fixture;
}

test("restores to a missing data directory, which a host then serves", async () => {
  const fixture = await backedUp();
  const contents = await fixture.contents();
  await fixture.stop();
  const { management, finish, close } = await offline(fixture, join(fixture.root, "data-2"));
  expect(await finish(management.restore({ source: fixture.uri("backup") }))).toMatchObject({
    case: "response",
  });
  await close();
  await fixture.restart({ dataDirectory: join(fixture.root, "data-2") });
  expect(await fixture.contents()).toEqual(contents);
  await fixture.put("more", { n: 1 });
});

test("a failed or cancelled restore removes the data directory that it created", async () => {
  const fixture = await backedUp();
  const target = join(fixture.root, "data-2");
  const failing = await offline(fixture, target);
  expect(
    await failing.finish(failing.management.restore({ source: fixture.uri("nothing") })),
  ).toMatchObject({ case: "error" });
  await failing.close();
  expect(existsSync(target)).toBe(false);
  const cancelling = await offline(fixture, target);
  const { name } = await cancelling.management.restore({ source: fixture.uri("backup") });
  await cancelling.operations.cancelOperation({ name });
  await cancelling.close();
  expect(existsSync(target)).toBe(false);
  const retry = await offline(fixture, target);
  expect(
    await retry.finish(retry.management.restore({ source: fixture.uri("backup") })),
  ).toMatchObject({ case: "response" });
});

test("rejects a non-empty data directory, but resumes after a killed restore", async () => {
  const fixture = await backedUp();
  const target = join(fixture.root, "full");
  mkdirSync(target);
  writeFileSync(join(target, "letter"), "mine");
  await expect(offline(fixture, target)).rejects.toMatchObject({
    reason: "DESTINATION_OCCUPIED",
    message: expect.stringContaining("letter"),
  });
  expect(readdirSync(target)).toEqual(["letter"]);
  await expect(offline(fixture, join(fixture.root, "backup"))).rejects.toMatchObject({
    reason: "DESTINATION_OCCUPIED",
  });
  await expect(offline(fixture, join(fixture.root, "data"))).rejects.toMatchObject({
    reason: "DESTINATION_OCCUPIED",
  });
  // The state after a kill: an empty index, a released lock, a partly fetched file.
  const killed = join(fixture.root, "killed");
  await (await hostFixture({}, join(fixture.root, "other"))).stop();
  mkdirSync(killed);
  const started = await offline(fixture, killed);
  await started.close();
  mkdirSync(join(killed, "temporary", "half"), { recursive: true });
  expect(readdirSync(killed).sort()).toEqual(["document-index", "lock.sqlite", "temporary"]);
  const retry = await offline(fixture, killed);
  expect(
    await retry.finish(retry.management.restore({ source: fixture.uri("backup") })),
  ).toMatchObject({ case: "response" });
  await retry.close();
  await expect(offline(fixture, killed)).rejects.toMatchObject({
    reason: "DESTINATION_OCCUPIED",
    message: expect.stringContaining("documents"),
  });
  rmSync(killed, { recursive: true });
});

test("rejects requests that require a host, and stores verification results outside of the backup", async () => {
  const fixture = await backedUp();
  const before = readdirSync(join(fixture.root, "backup")).sort();
  const { management, finish, close } = await offline(fixture);
  const compared = async () => {
    for await (const _ of management.diffBackups({ from: { uri: fixture.uri("backup") }, to: {} }));
  };
  await expect(compared()).rejects.toThrow("name one with --address");
  await expect(management.getHost({})).rejects.toThrow();
  await finish(management.verifyBackup({ uri: fixture.uri("backup") }));
  await close();
  const later = await offline(fixture);
  expect(
    (await later.management.listBackups({ uri: fixture.uri("backup") })).backups[0]
      ?.lastVerification?.passed,
  ).toBe(true);
  expect(readdirSync(join(fixture.root, "backup")).sort()).toEqual(before);
});
