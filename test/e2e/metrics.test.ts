import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createChannel, createClient } from "nice-grpc";
import { ManagementServiceDefinition } from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import { parseExposition, type Family } from "../support/exposition.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";

const address = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;

async function scrape(
  fixture: HostFixture,
): Promise<{ families: Map<string, Family>; value(series: string): number | undefined }> {
  const answer = await fetch(`${address(fixture)}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = parseExposition(await answer.text());
  const all = new Map([...families.values()].flatMap(({ samples }) => [...samples]));
  return { families, value: (series) => all.get(series) };
}

const durable = 'index="/core/document-index"';

test("the exposition of a new host is valid; every name has a unit and a help text", async () => {
  const { families, value } = await scrape(await hostFixture());
  for (const [name, { type, help }] of families) {
    expect(name).toMatch(/^(holdfast|process|nodejs)_[a-z0-9_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(name).not.toMatch(/_(micros|millis|ms|kb|mb)(_|$)/);
    expect(help).toMatch(/^[A-Z0-9].{10,}\.$/);
  }
  expect(value(`holdfast_build_info{version="0.1.0",node="${process.version}"}`)).toBe(1);
  expect(value("holdfast_backups_healthy")).toBe(1);
  expect(value('holdfast_auto_backup_state{state="off"}')).toBe(1);
  // Series for alerts exist before the first event.
  expect(value('holdfast_operations_total{kind="backup",outcome="failed"}')).toBe(0);
  expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e7);
  expect(value("holdfast_disk_free_bytes")).toBeGreaterThan(0);
});

test("backups, restores and failures change their own metrics", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.put("a", { n: 2 });
  const backup = await fixture.backup("b");
  const labels = `{${durable},destination="${fixture.uri("b")}"}`;
  const first = await scrape(fixture);
  expect(first.value(`holdfast_backup_size_bytes${labels}`)).toBe(backup.backup.sizeBytes);
  expect(first.value(`holdfast_backup_age_seconds${labels}`)).toBeLessThan(60);
  expect(first.value(`holdfast_backup_failing${labels}`)).toBe(0);
  expect(
    Math.abs(
      (first.value(`holdfast_backup_last_success_timestamp_seconds${labels}`) ?? 0) -
        Date.now() / 1000,
    ),
  ).toBeLessThan(60);
  expect(first.value(`holdfast_backup_window_latest_timestamp_seconds${labels}`)).toBe(
    backup.backup.window.latestMicros / 1e6,
  );
  expect(first.value('holdfast_operations_total{kind="backup",outcome="done"}')).toBe(1);
  expect(first.value('holdfast_operation_bytes_total{kind="backup"}')).toBe(backup.bytesWritten);
  expect(first.value('holdfast_operation_duration_seconds_count{kind="backup"}')).toBe(1);
  expect(first.value(`holdfast_index_documents{${durable}}`)).toBe(1);
  expect(first.value(`holdfast_index_versions{${durable}}`)).toBe(2);
  expect(first.value(`holdfast_index_position_timestamp_seconds{${durable}}`)).toBe(
    backup.backup.positionMicros / 1e6,
  );

  await fixture.restore("b");
  await expect(fixture.restore("nowhere")).rejects.toThrow();
  const second = await scrape(fixture);
  expect(second.value('holdfast_operations_total{kind="restore",outcome="done"}')).toBe(1);
  expect(second.value('holdfast_operations_total{kind="restore",outcome="failed"}')).toBe(1);
  expect(second.value('holdfast_operation_bytes_total{kind="restore"}')).toBeGreaterThan(0);

  const lease = join(fixture.root, "b", ".holdfast-lease");
  mkdirSync(lease);
  await expect(fixture.backup("b")).rejects.toThrow();
  const failed = await scrape(fixture);
  expect(failed.value('holdfast_operations_total{kind="backup",outcome="failed"}')).toBe(1);
  expect(failed.value(`holdfast_backup_failing${labels}`)).toBe(1);
  expect(failed.value(`holdfast_backup_last_failure_timestamp_seconds${labels}`)).toBeGreaterThan(
    1.7e9,
  );
  expect(failed.value(`holdfast_backup_last_success_timestamp_seconds${labels}`)).toBe(
    first.value(`holdfast_backup_last_success_timestamp_seconds${labels}`),
  );
  rmdirSync(lease);
  await fixture.backup("b");
  expect((await scrape(fixture)).value(`holdfast_backup_failing${labels}`)).toBe(0);
});

test("counts a running operation, and a cancelled one as cancelled", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await hostFixture({
    platform: {
      ...systemPlatform,
      failpoint: (name) => (name === "backup:snapshot-taken" ? held : Promise.resolve()),
    },
  });
  await fixture.put("a", { n: 1 });
  const { name } = await fixture.host.management.backup({
    destination: fixture.uri("b"),
    container: "DIRECTORY",
    indexLink: "/core/document-index",
  });
  expect((await scrape(fixture)).value('holdfast_operations_running{kind="backup"}')).toBe(1);
  const cancelled = fixture.host.operations.cancel(name);
  release();
  await cancelled;
  const after = await scrape(fixture);
  expect(after.value('holdfast_operations_running{kind="backup"}')).toBe(0);
  expect(after.value('holdfast_operations_total{kind="backup",outcome="cancelled"}')).toBe(1);
  // A cancellation by a user must not trigger an alert.
  expect([...(after.families.get("holdfast_backup_failing")?.samples ?? [])]).toEqual([]);
});

test("counts requests by protocol and method, never by link", async () => {
  const fixture = await hostFixture();
  const url = address(fixture);
  const json = { "content-type": "application/json" };
  await fetch(`${url}/things`, {
    method: "POST",
    headers: json,
    body: '{"documentSelfLink":"secret-name"}',
  });
  for (const name of ["secret-name", "secret-other", "secret-name?x=1"])
    await fetch(`${url}/things/${name}`);
  await fetch(`${url}/secret/path`);
  await fetch(`${url}/v1/operations/secret-operation`);
  await fetch(`${url}/v1/transfers/secret-transfer:download`);
  await fetch(`${url}/local-files/secret-file`);
  await fetch(`${url}/holdfast.management.v1.ManagementService/GetHost`, {
    method: "POST",
    headers: json,
    body: "{}",
  });
  await fetch(`${url}/holdfast.management.v1.ManagementService/SecretMethod`, {
    method: "POST",
    headers: json,
    body: "{}",
  });
  const channel = createChannel(`127.0.0.1:${fixture.host.grpcAddress.port}`);
  const client = createClient(ManagementServiceDefinition, channel);
  await client.getHost({});
  await client.deleteTransfer({ name: "transfers/none" }).catch(() => undefined);
  channel.close();
  const { families, value } = await scrape(fixture);
  const total = (surface: string, method: string, status: string) =>
    value(`holdfast_requests_total{surface="${surface}",method="${method}",status="${status}"}`);
  expect(total("xenon", "POST /things", "2xx")).toBe(1);
  expect(total("xenon", "GET /things/{name}", "2xx")).toBe(2);
  expect(total("xenon", "GET /things/{name}", "4xx")).toBe(1);
  expect(total("other", "GET unknown", "4xx")).toBe(1);
  expect(total("other", "POST unknown", "4xx")).toBe(1);
  expect(total("rest", "google.longrunning.Operations/GetOperation", "4xx")).toBe(1);
  expect(total("rest", "GET /v1/transfers/{name}:download", "4xx")).toBe(1);
  expect(total("files", "GET /local-files/{name}", "4xx")).toBe(1);
  expect(total("connect", "holdfast.management.v1.ManagementService/GetHost", "2xx")).toBe(1);
  expect(total("grpc", "holdfast.management.v1.ManagementService/GetHost", "2xx")).toBe(1);
  expect(total("grpc", "holdfast.management.v1.ManagementService/DeleteTransfer", "4xx")).toBe(1);
  expect(
    value('holdfast_request_duration_seconds_count{surface="xenon",method="GET /things/{name}"}'),
  ).toBe(3);
  // The scrape itself.
  expect(
    [...(families.get("holdfast_requests_in_flight")?.samples ?? [])].filter(
      ([, count]) => count !== 0,
    ),
  ).toEqual([['holdfast_requests_in_flight{surface="other"}', 1]]);
  expect(
    [...families.values()]
      .flatMap(({ samples }) => [...samples.keys()])
      .filter((series) => series.includes("ecret")),
  ).toEqual([]);
});

test("reports automatic backups, transfers and event loop delay", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.host.control.configureAutoBackup(true);
  await eventually(() => fixture.host.control.autoBackup().state === "CURRENT");
  const held = await fixture.host.streams.prepare(
    { indexLink: "/core/document-index" },
    new AbortController().signal,
  );
  await scrape(fixture);
  // The first scrape after a change resets the maximum.
  // The histogram of the event loop samples every few milliseconds: time for a sample before and after the delay.
  await sleep(60);
  const until = performance.now() + 300;
  while (performance.now() < until);
  await sleep(50);
  const { value } = await scrape(fixture);
  expect(value('holdfast_auto_backup_state{state="current"}')).toBe(1);
  expect(value('holdfast_auto_backup_runs_total{outcome="performed"}')).toBeGreaterThan(0);
  expect(value("holdfast_auto_backup_bytes_total")).toBeGreaterThan(0);
  expect(
    value(
      `holdfast_backup_age_seconds{${durable},destination="${fixture.uri("data/auto-backup")}"}`,
    ),
  ).toBeGreaterThanOrEqual(0);
  expect(value('holdfast_transfers{direction="download"}')).toBe(1);
  expect(value('holdfast_streams_in_progress{direction="download"}')).toBe(1);
  expect(value('holdfast_transfer_bytes{direction="download"}')).toBe(held.transfer.sizeBytes);
  expect(value(`holdfast_backup_age_seconds{${durable},destination="transfer:"}`)).toBeLessThan(60);
  expect(value("nodejs_eventloop_lag_max_seconds")).toBeGreaterThan(0.2);
  expect(value("nodejs_eventloop_lag_p50_seconds")).toBeLessThan(0.1);
  held.release();
});

test("concurrent scrapes share one reading", async () => {
  const fixture = await hostFixture();
  const texts = await Promise.all(
    Array.from({ length: 8 }, async () => (await fetch(`${address(fixture)}/metrics`)).text()),
  );
  for (const text of texts) parseExposition(text);
  expect(new Set(texts).size).toBeLessThan(8);
});

test("with tokens requires the role read; accepts only GET and HEAD", async () => {
  const fixture = await hostFixture({ tokens: "reader read\nwriter write\nbacker backup\n" });
  const status = async (token?: string, method = "GET") =>
    (
      await fetch(`${address(fixture)}/metrics`, {
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
    ).status;
  expect(await status()).toBe(401);
  expect(await status("nobody")).toBe(401);
  expect(await status("backer")).toBe(403);
  expect(await status("reader")).toBe(200);
  expect(await status("writer")).toBe(200);
  expect(await status("reader", "HEAD")).toBe(200);
  expect(await status("reader", "POST")).toBe(405);
});

test("two hosts in one process have separate metrics", async () => {
  const [one, other] = [await hostFixture(), await hostFixture()];
  await one.put("a", { n: 1 });
  await one.backup("b");
  expect((await scrape(one)).value('holdfast_operations_total{kind="backup",outcome="done"}')).toBe(
    1,
  );
  expect(
    (await scrape(other)).value('holdfast_operations_total{kind="backup",outcome="done"}'),
  ).toBe(0);
});
