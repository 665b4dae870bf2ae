import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createChannel, createClient } from "nice-grpc";
import { ManagementServiceDefinition } from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

async function withClient<T>(
  { host }: HostFixture,
  work: (client: ReturnType<typeof createManagement>) => Promise<T>,
): Promise<T> {
  const channel = createChannel(`127.0.0.1:${host.grpcAddress.port}`);
  try {
    return await work(createManagement(channel));
  } finally {
    channel.close();
  }
}
const createManagement = (channel: ReturnType<typeof createChannel>) =>
  createClient(ManagementServiceDefinition, channel);

test("settings of the dialect are visible and changeable over gRPC and /v1", async () => {
  const fixture = await hostFixture();
  await withClient(fixture, async (client) => {
    expect(await client.configureAutoBackup({ enabled: true })).toMatchObject({
      enabled: true,
      indexLink: "/core/document-index",
    });
    expect(
      await client.configureRequestLogging({ enabled: true, skipGossipRequests: false }),
    ).toEqual({
      enabled: true,
      skipGossipRequests: false,
      skipSynchronizationRequests: true,
      skipForwardingRequests: true,
    });
    expect(await client.configureRequestLogging({ enabled: false })).toMatchObject({
      enabled: false,
      skipGossipRequests: false,
    });
    expect(await client.configureOperationTracing({ enabled: true, level: "" })).toEqual({
      enabled: true,
      level: "ALL",
    });
    expect(
      (await client.synchronizeWithPeers({ nodeSelectorPath: "/core/node-selectors/default" }))
        .peers,
    ).toMatchObject([{ id: fixture.host.id, inAgreement: true }]);
    await expect(client.synchronizeWithPeers({ nodeSelectorPath: "/core/none" })).rejects.toThrow(
      "/core/none is not started on this host",
    );
    await expect(
      client.configureOperationTracing({ enabled: true, level: "LOUD" }),
    ).rejects.toThrow("level must be one of");
  });
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}`;
  const host = (await (await fetch(`${url}/v1/host`)).json()) as Record<string, unknown>;
  expect(host).toMatchObject({
    autoBackup: { enabled: true },
    requestLogging: { skipSynchronizationRequests: true },
    operationTracing: { enabled: true },
  });
  const off = await fetch(`${url}/v1/host:configureAutoBackup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"enabled":false}',
  });
  expect(await off.json()).toMatchObject({ state: "AUTO_BACKUP_STATE_OFF" });
});

test("statistics of backups and restores are the same over gRPC and the dialect", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.backup("b");
  await fixture.restore("b");
  await expect(fixture.restore("nowhere")).rejects.toThrow();
  const { stats } = await withClient(fixture, (client) => client.getStats({}));
  const of = (name: string) => stats.find((stat) => stat.name === name);
  for (const name of [
    "backupCount",
    "restoreCountPerDay",
    "restoreFailedCountPerHour",
    "documentCount",
  ])
    expect(of(name)).toMatchObject({ name, latestValue: 1 });
  expect(of("backupBytesPerHour")?.series).toMatchObject({ numBins: 60, bins: [{ count: 1n }] });
  expect(of("backupBytes")?.latestValue).toBeGreaterThan(40_000);
  expect(of("backupDurationMicros")?.latestValue).toBeGreaterThan(0);
  expect(of("backupLastSuccessMicros")?.latestValue).toBeGreaterThan(1.7e15);
  expect(of("restoreLastFailureMicros")?.latestValue).toBeGreaterThan(1.7e15);
});

test("health reports failing automatic backups and their recovery", async () => {
  const root = temporaryDirectory();
  const missing = join(root, "mount");
  const fixture = await hostFixture(
    {
      platform: { ...systemPlatform, autoBackup: { retryMs: 20 } },
      autoBackupDestination: join(missing, "auto"),
    },
    root,
  );
  const status = async () => {
    const answer = await fetch(
      `http://127.0.0.1:${fixture.host.httpAddress.port}/grpc.health.v1.Health/Check`,
      {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"service":"backup"}',
      },
    );
    return ((await answer.json()) as { status: string }).status;
  };
  const becomes = (wanted: string) => eventually(async () => (await status()) === wanted);
  await becomes("SERVING");
  await fixture.host.control.configureAutoBackup(true);
  await becomes("NOT_SERVING");
  mkdirSync(missing);
  await becomes("SERVING");
  rmSync(missing, { recursive: true });
  await fixture.put("a", { n: 1 });
  await becomes("NOT_SERVING");
  // No warning is given after automatic backups are switched off.
  await fixture.host.control.configureAutoBackup(false);
  await becomes("SERVING");
});

test.each(["DELETE of /core/management", "Shutdown by gRPC"])(
  "%s is answered before the process exits with 0, and documents are kept",
  async (how) => {
    const directory = temporaryDirectory();
    const served = await serve(["--data-dir", directory]);
    await fetch(`${served.url}/core/examples`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"kept","documentSelfLink":"kept"}',
    });
    if (how.startsWith("DELETE")) {
      const answer = await fetch(`${served.url}/core/management`, { method: "DELETE" });
      expect(answer.status).toBe(202);
      expect(await answer.text()).toBe("");
    } else {
      const channel = createChannel(served.grpc);
      await createManagement(channel).shutdown({});
      channel.close();
    }
    expect(await served.ended).toBe(0);
    const again = await serve(["--data-dir", directory]);
    expect((await fetch(`${again.url}/core/examples/kept`)).status).toBe(200);
  },
);
