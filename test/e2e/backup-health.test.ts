import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../src/limits.js";
import { eventually } from "../support/eventually.js";
import { clockPlatform, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { ask } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const start = 1_800_000_000_000_000;
const hour = 3_600_000_000;
const address = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;
const recordsPath = (fixture: HostFixture) => join(fixture.root, "data", "backup-records.json");

interface HostAnswer {
  backups: Record<string, unknown>[];
  backupsHealthy: boolean;
  backupProblem: string;
  backupMaxAgeMicros: string;
  freeBytes: string;
}
const hostOf = async (fixture: HostFixture) =>
  (await ask(`${address(fixture)}/v1/host`)).body as unknown as HostAnswer;

async function check(fixture: HostFixture, query = ""): Promise<[number, string]> {
  const answer = await fetch(`${address(fixture)}/healthz${query}`);
  return [answer.status, await answer.text()];
}
async function becomes(fixture: HostFixture, status: number): Promise<void> {
  await eventually(async () => (await check(fixture, "?service=backup"))[0] === status);
  expect(await check(fixture, "?service=backup")).toEqual([
    status,
    status === 200 ? "SERVING\n" : "NOT_SERVING\n",
  ]);
}

test("reports the last backup of each index and destination, also after a restart", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  expect((await hostOf(fixture)).backups).toEqual([]);
  const first = await fixture.backup("one");
  await fixture.backup("two.zip", { container: "ZIP" });
  await fixture.backup("never", { validateOnly: true });
  await fixture.put("a", { n: 2 });
  const last = await fixture.backup("one");
  await fixture.backup("memory", { indexLink: "/core/in-memory-document-index" });

  const before = await hostOf(fixture);
  expect(before.backups.map(({ indexLink, destination }) => [indexLink, destination])).toEqual([
    ["/core/in-memory-document-index", fixture.uri("memory")],
    ["/core/document-index", fixture.uri("one")],
    ["/core/document-index", fixture.uri("two.zip")],
  ]);
  expect(before.backups[1]).toMatchObject({
    backupName: last.backup.name,
    positionMicros: String(last.backup.positionMicros),
    bytesWritten: String(last.bytesWritten),
    sizeBytes: String(last.backup.sizeBytes),
    lastFailureMicros: "0",
    lastError: "",
    window: { latestMicros: String(last.backup.window.latestMicros) },
  });
  expect(last.backup.name).not.toBe(first.backup.name);
  expect(Number(before.backups[1]?.["durationMicros"])).toBeGreaterThan(0);
  expect(
    Math.abs(Number(before.backups[1]?.["lastSuccessMicros"]) - Date.now() * 1000),
  ).toBeLessThan(30_000_000);
  expect(Number(before.freeBytes)).toBeGreaterThan(0);
  expect(before).toMatchObject({
    backupsHealthy: true,
    backupProblem: "",
    backupMaxAgeMicros: "0",
  });

  await fixture.restart();
  expect((await hostOf(fixture)).backups).toEqual(before.backups);
});

test("reports a failed backup beside the last successful one until the next success", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  const good = await fixture.backup("b");
  // A directory in place of the lease file makes the backup fail after it started.
  const lease = join(fixture.root, "b", ".holdfast-lease");
  mkdirSync(lease);
  const problem = await fixture.backup("b").then(
    () => "it went well",
    (error: unknown) => (error as Error).message,
  );
  const recordOf = async () =>
    (await hostOf(fixture)).backups.find(({ destination }) => destination === fixture.uri("b"));
  const failed = await recordOf();
  expect(failed).toMatchObject({ lastError: problem, backupName: good.backup.name });
  expect(Number(failed?.["lastFailureMicros"])).toBeGreaterThan(
    Number(failed?.["lastSuccessMicros"]),
  );
  rmdirSync(lease);
  await fixture.backup("b");
  expect(await recordOf()).toMatchObject({
    lastError: "",
    lastFailureMicros: failed?.["lastFailureMicros"],
  });
});

test("records automatic backups by directory and keeps the record over a restart", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.host.control.configureAutoBackup(true);
  await eventually(() => fixture.host.control.autoBackup().state === "CURRENT");
  const { backups } = await hostOf(fixture);
  expect(backups).toMatchObject([
    {
      indexLink: "/core/document-index",
      destination: fixture.uri("data/auto-backup"),
      lastError: "",
    },
  ]);
  await fixture.restart();
  expect((await hostOf(fixture)).backups[0]?.["lastSuccessMicros"]).toBeDefined();
});

test("keeps the newest hundred records", async () => {
  const root = temporaryDirectory();
  const data = join(root, "data");
  mkdirSync(data, { recursive: true });
  const old = Array.from({ length: limits.backupRecords }, (_, i) => ({
    indexLink: "/core/document-index",
    destination: `file:///old/${i}`,
    lastSuccessMicros: start - i,
    backupName: "m",
    positionMicros: 1,
    bytesWritten: 1,
    sizeBytes: 1,
    durationMicros: 1,
    lastFailureMicros: 0,
    lastError: "",
  }));
  writeFileSync(join(data, "backup-records.json"), JSON.stringify(old));
  const fixture = await hostFixture({}, root);
  expect((await hostOf(fixture)).backups).toHaveLength(limits.backupRecords);
  await fixture.put("a", { n: 1 });
  await fixture.backup("new");
  const destinations = (await hostOf(fixture)).backups.map(({ destination }) => destination);
  expect(destinations).toHaveLength(limits.backupRecords);
  expect(destinations[0]).toBe(fixture.uri("new"));
  expect(destinations[1]).toBe("file:///old/0");
  expect(destinations.at(-1)).toBe(`file:///old/${limits.backupRecords - 2}`);
});

test.each([
  ["not JSON", "{"],
  ["something else", '[{"destination":5}]'],
])("sets records that are %s aside with a warning and starts", async (_what, text) => {
  const warnings: string[] = [];
  const logger = {
    info() {},
    warn: (_fields: object, message: string) => void warnings.push(message),
    error() {},
  };
  const fixture = await hostFixture({ logger });
  await fixture.stop();
  writeFileSync(recordsPath(fixture), text);
  await fixture.restart();
  expect(warnings).toEqual([expect.stringContaining("they were renamed")]);
  expect(readFileSync(`${recordsPath(fixture)}.unreadable`, "utf8")).toBe(text);
  await fixture.put("a", { n: 1 });
  await fixture.backup("b");
  expect((await hostOf(fixture)).backups).toHaveLength(1);
});

test("becomes unhealthy when the newest backup is too old and healthy after the next backup, also over a restart", async () => {
  const platform = clockPlatform(start);
  const warnings: object[] = [];
  const logger = { info() {}, warn: (fields: object) => void warnings.push(fields), error() {} };
  const fixture = await hostFixture({ platform, backupMaxAgeMs: 3_600_000, logger });
  await becomes(fixture, 200);
  // An index without documents cannot lose any.
  platform.clock.micros += 2 * hour;
  // One check of the age must not change the health.
  await sleep(1.5 * limits.backupAgeCheckMs);
  await becomes(fixture, 200);
  await fixture.put("a", { n: 1 });
  await becomes(fixture, 503);
  expect(await hostOf(fixture)).toMatchObject({
    backupsHealthy: false,
    backupProblem: expect.stringContaining(
      "No successful backup of /core/document-index exists",
    ) as unknown,
    backupMaxAgeMicros: String(hour),
  });
  // The host itself keeps serving.
  expect(await check(fixture)).toEqual([200, "SERVING\n"]);
  await fixture.backup("b");
  await becomes(fixture, 200);
  expect(await hostOf(fixture)).toMatchObject({ backupsHealthy: true, backupProblem: "" });

  platform.clock.micros += 30 * 60_000_000;
  await fixture.restart();
  await becomes(fixture, 200);
  platform.clock.micros += 31 * 60_000_000;
  await becomes(fixture, 503);
  expect((await hostOf(fixture)).backupProblem).toBe(
    "The newest successful backup of /core/document-index is 61 minutes old; the limit is 60 minutes (--backup-max-age).",
  );
  await fixture.restart();
  await becomes(fixture, 503);
  // A backup of another index and a dry run do not count.
  await fixture.backup("memory", { indexLink: "/core/in-memory-document-index" });
  await fixture.backup("c", { validateOnly: true });
  await becomes(fixture, 503);
  await fixture.backup("b");
  await becomes(fixture, 200);
  expect(warnings.filter((fields) => "problem" in fields)).toHaveLength(3);
}, 30_000);

test("current automatic backups never become too old while no writes arrive", async () => {
  const platform = clockPlatform(start);
  const fixture = await hostFixture({ platform, backupMaxAgeMs: 3_600_000 });
  await fixture.host.control.configureAutoBackup(true);
  await fixture.put("a", { n: 1 });
  await eventually(() => fixture.host.control.autoBackup().state === "CURRENT");
  platform.clock.micros += 5 * hour;
  // One check of the age must not change the health.
  await sleep(1.5 * limits.backupAgeCheckMs);
  await becomes(fixture, 200);
  await fixture.host.control.configureAutoBackup(false);
  platform.clock.micros += 2 * hour;
  await becomes(fixture, 503);
});

test("the health check requires no token, answers with one word, and accepts the service names of gRPC", async () => {
  const fixture = await hostFixture({ tokens: "secret read\n" });
  expect(await check(fixture)).toEqual([200, "SERVING\n"]);
  expect(await check(fixture, "?service=holdfast.management.v1.ManagementService")).toEqual([
    200,
    "SERVING\n",
  ]);
  expect(await check(fixture, "?service=nothing")).toEqual([404, "UNKNOWN\n"]);
  expect((await fetch(`${address(fixture)}/healthz`, { method: "HEAD" })).status).toBe(200);
  expect(
    (
      await fetch(`${address(fixture)}/healthz`, {
        method: "POST",
        headers: { "content-type": "application/json" },
      })
    ).status,
  ).toBe(405);
  expect(existsSync(join(fixture.root, "data", "backup-records.json"))).toBe(false);
});
