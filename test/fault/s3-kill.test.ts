import { execFile, type ChildProcess } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform, type FailpointName } from "../../src/io/platform.js";
import {
  namesBelow,
  openUploads,
  s3Fixture,
  straysBelow,
  type S3Fixture,
} from "../support/s3-fixture.js";
import { s3Proxy, type S3Proxy } from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";

const script = join(__dirname, "..", "support", "crash-child.mjs");
const short = { lease: { expiryMs: 1000, heartbeatMs: 50 } };

let store: S3Store;
let proxy: S3Proxy;
let count = 0;

interface Killed {
  process: ChildProcess;
  /** How the process ended. */
  ended: Promise<string>;
}

/** Runs a backup in a child process, which a failpoint or the caller kills. */
function startBackup(fixture: S3Fixture, request: object, failpoint?: FailpointName): Killed {
  const work = { kind: "backup", request };
  const task = JSON.stringify({ dataDirectory: join(fixture.root, "data"), work, failpoint });
  let process!: ChildProcess;
  const ended = new Promise<string>((resolve) => {
    process = execFile(
      globalThis.process.execPath,
      [script, task],
      // The environment of the test, which has the credentials, and not that of the test runner.
      { timeout: 60_000, env: { ...globalThis.process.env } },
      (error, stdout, stderr) => resolve(error?.signal ?? `${stdout}${stderr}`),
    );
  });
  return { process, ended };
}

interface Prepared {
  fixture: S3Fixture;
  request: { destination: string; container: "DIRECTORY" | "ZIP" };
  prefix: string;
  before: Record<string, string>;
  now: Record<string, string>;
}

/** A stopped host with a complete backup and a later change. */
async function prepare(container: "DIRECTORY" | "ZIP"): Promise<Prepared> {
  const prefix = `k${(count += 1)}/q/`;
  const destination = `${proxy.uri}/k${count}/q${container === "ZIP" ? "/b.zip" : ""}`;
  const request = { destination, container };
  const fixture = await s3Fixture(short);
  await fixture.put("a", { before: 1 });
  const before = await fixture.contents();
  await fixture.backupTo(destination, { container });
  await fixture.put("a", { now: 2 });
  const now = await fixture.contents();
  await fixture.stop();
  proxy.reset();
  return { fixture, request, prefix, before, now };
}

/** The earlier backup or the new one restores, and the next backup succeeds and cleans up. */
async function expectRecovery({ fixture, request, prefix, before, now }: Prepared): Promise<void> {
  const { destination, container } = request;
  proxy.reset();
  await fixture.restart();
  expect(await fixture.contents()).toEqual(now);
  await fixture.backupTo(destination, { container });
  const strays = await straysBelow(store, prefix);
  const checks = strays.filter((name) => name.startsWith(".holdfast-check-"));
  expect(strays).toEqual(checks);
  expect(await openUploads(store, prefix)).toEqual([]);
  expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
  await fixture.put("a", { lost: 3 });
  await fixture.restoreFrom(destination);
  expect(await fixture.contents()).toEqual(now);
  expect(before).not.toEqual(now);
  if (checks.length === 0) return;
  // A check of a store takes no lock, so that another host may run one: its object stays for a day.
  const days = 2 * 86_400_000_000;
  const later = { ...systemPlatform, ...short, nowMicros: () => systemPlatform.nowMicros() + days };
  await fixture.restart({ platform: later });
  await fixture.backupTo(destination, { container });
  expect(await straysBelow(store, prefix)).toEqual([]);
}

/** Another host restores what the killed one has left. */
async function expectRestorable({ request, before, now }: Prepared): Promise<void> {
  proxy.reset();
  const other = await s3Fixture(short);
  await other.restoreFrom(request.destination);
  expect([before, now]).toContainEqual(await other.contents());
  await other.stop();
}

(haveVersitygw ? describe : describe.skip)("a host that is killed in a backup to S3", () => {
  beforeAll(async () => {
    store = await strictStore();
    proxy = await s3Proxy(store);
  });

  const failpoints: ["DIRECTORY" | "ZIP", FailpointName][] = [
    ["DIRECTORY", "backup:snapshot-taken"],
    ["DIRECTORY", "backup:segment-staged"],
    ["DIRECTORY", "backup:segment-renamed"],
    ["DIRECTORY", "backup:manifest-written"],
    ["DIRECTORY", "backup:unused-removed"],
    ["ZIP", "backup:archive-read-back"],
    ["ZIP", "backup:manifest-written"],
  ];
  test.each(failpoints)("%s, at %s", async (container, failpoint) => {
    const prepared = await prepare(container);
    const { ended } = startBackup(prepared.fixture, prepared.request, failpoint);
    expect(await ended).toBe("SIGKILL");
    await expectRestorable(prepared);
    await expectRecovery(prepared);
  });

  const requests: ["DIRECTORY" | "ZIP", string[]][] = [
    [
      "DIRECTORY",
      ["PUT check", "DELETE check", "PUT lease", "LIST", "UPLOADS", "PUT note", "PUT segment"],
    ],
    ["DIRECTORY", ["PUT manifest", "DELETE note", "DELETE manifest", "DELETE lease"]],
    ["ZIP", ["PUT lease", "PUT archive", "DELETE lease"]],
  ];
  test.each(
    // Each takes some ten seconds, so that one side of each request is tried.
    requests.flatMap(([container, kinds]) =>
      kinds.map((kind, i) => [container, kind, i % 2 === 0 ? "after" : "before"] as const),
    ),
  )("%s, %s: %s the store executes it", async (container, kind, when) => {
    const prepared = await prepare(container);
    const { process, ended } = startBackup(prepared.fixture, prepared.request);
    proxy.fault = (request) => {
      if (request.kind !== kind || request.nth > 1) return undefined;
      if (when === "before") process.kill("SIGKILL");
      // A killed process does not receive the response, which arrives when it is gone.
      return when === "before"
        ? { cut: "before" }
        : { cut: "after", then: () => process.kill("SIGKILL") };
    };
    expect(await ended).toBe("SIGKILL");
    await expectRestorable(prepared);
    await expectRecovery(prepared);
  });

  test.each(["backup:manifest-written", "backup:unused-removed"] as const)(
    "at %s, before the store lists what it has stored",
    async (failpoint) => {
      const prepared = await prepare("DIRECTORY");
      const { fixture, request, prefix } = prepared;
      const { ended } = startBackup(fixture, request, failpoint);
      expect(await ended).toBe("SIGKILL");
      const [newest] = (await namesBelow(store, prefix)).filter((name) =>
        /^manifest-0+2-/.test(name),
      );
      expect(newest).toBeDefined();
      await fixture.restart();
      proxy.fault = ({ kind }) => (kind === "LIST" ? { hide: /manifest-0+2-/ } : undefined);
      await fixture.backupTo(request.destination);
      expect(proxy.faults).toBeGreaterThan(0);
      proxy.reset();
      await fixture.restoreFrom(request.destination, { manifest: newest! });
      expect(await fixture.contents()).toEqual(prepared.now);
    },
  );

  test("a listing that is older than the backup does not remove what it needs", async () => {
    const { fixture, request, now } = await prepare("DIRECTORY");
    await fixture.restart();
    proxy.fault = ({ kind }) => (kind === "LIST" ? { hide: /manifest-0+2-/ } : undefined);
    const { backup } = await fixture.backupTo(request.destination);
    expect(backup.segments).toHaveLength(2);
    expect(proxy.faults).toBeGreaterThan(0);
    proxy.reset();
    await fixture.restoreFrom(request.destination);
    expect(await fixture.contents()).toEqual(now);
  });
});
