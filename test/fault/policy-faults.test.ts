import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { toPolicy } from "../../src/api/convert/policy.js";
import type { HostOptions } from "../../src/host/options.js";
import type { FileSystem, OpenFile } from "../../src/io/file-system.js";
import { acquireLease } from "../../src/io/lease.js";
import { nodeFileSystem } from "../../src/io/node-file-system.js";
import { systemPlatform, type FailpointName, type Platform } from "../../src/io/platform.js";
import { limits } from "../../src/limits.js";
import type { PolicySpec, RunKind } from "../../src/policy/policy.js";
import type { PolicyRun } from "../../src/service/policies/policy-run.js";
import { eventually } from "../support/eventually.js";
import { faultyDestination } from "../support/faulty-destination.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { policySpec } from "../support/policy-spec.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";
import { fill, smallDisk } from "../support/small-disk.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { unfinishedFiles } from "../support/unfinished-files.js";
import { strayFiles } from "../support/whole-backup.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const lease = { expiryMs: 300, heartbeatMs: 50 };
/** Nobody listens: the deliveries of a host show its events all the same. */
const webhooks = [
  {
    url: "http://127.0.0.1:9/hook",
    secret: `whsec_${Buffer.alloc(32, 7).toString("base64")}`,
    events: [],
  },
];

const spec = (fixture: HostFixture, more: Partial<PolicySpec> = {}) =>
  policySpec(fixture, {
    schedule: { kind: "interval", everyMs: 6 * hourMs },
    timeZone: "UTC",
    ...more,
  });

const runsOf = async ({ host }: HostFixture, name = "daily") =>
  (await host.policies.runs(name, 1000)).runs;
const statusOf = ({ host }: HostFixture, name = "daily") => host.policies.get(name);
const problemsOf = async (fixture: HostFixture) =>
  (await statusOf(fixture)).problems.map(({ kind }) => kind);
const ended = (fixture: HostFixture, id: string) =>
  eventually(async () =>
    (await runsOf(fixture)).find((one) => one.id === id && one.state !== "RUNNING"),
  );
const run = (fixture: HostFixture, kind: RunKind = "BACKUP") =>
  ended(fixture, fixture.host.policies.run("daily", kind).id);

/** Waits until each event of the policy, and no other, has occurred this often: events follow the end of a run. */
async function expectEvents({ host }: HostFixture, expected: Record<string, number>) {
  const occurred = () => {
    const counts: Record<string, number> = {};
    for (const { event } of host.policies.deliveries("daily"))
      counts[event] = (counts[event] ?? 0) + 1;
    return counts;
  };
  await eventually(() => isDeepStrictEqual(occurred(), expected), { state: occurred });
}

const filesIn = (path: string) => readdirSync(path).sort();
const manifestsIn = (path: string) =>
  filesIn(path).filter((one) => /^manifest-.*\.json$/.test(one));

/** Verifies all backups of a destination in full, and returns their names. */
async function verified({ host, finish }: HostFixture, uri: string): Promise<string[]> {
  const listings = await host.management.listBackups(uri);
  const depth = { level: "FULL" as const, samplePercent: 100 };
  await Promise.all(
    listings.map(({ name }) => finish(host.management.verifyBackup(uri, name, depth))),
  );
  return listings.map(({ name }) => name).sort();
}

/** A restore has all documents; a live one is wrong before it. */
async function expectRestores(fixture: HostFixture, name: string): Promise<void> {
  const expected = await fixture.contents();
  await fixture.put("wrong", {});
  await fixture.restore(name);
  expect(await fixture.contents()).toEqual(expected);
}

interface MovedHost {
  fixture: HostFixture;
  /** Moves the clock, and starts what is due. */
  move(ms: number): Promise<void>;
}

/** A host whose clock a test moves. It has another policy, which never runs. */
async function movedHost(
  more: Partial<HostOptions> = {},
  platform: Partial<Platform> = {},
): Promise<MovedHost> {
  let aheadMicros = 0;
  const nowMicros = () => Date.now() * 1000 + aheadMicros;
  const fixture = await hostFixture({
    platform: { ...systemPlatform, lease, ...platform, nowMicros },
    ...more,
  });
  await fixture.host.policies.create(
    spec(fixture, {
      name: "other",
      destination: fixture.uri("other"),
      schedule: { kind: "cron", expression: "0 0 29 2 *", timeZone: "UTC" },
    }),
  );
  return {
    fixture,
    async move(ms) {
      aheadMicros += ms * 1000;
      // To schedule any policy wakes the scheduler, which would sleep up to a minute otherwise.
      await fixture.host.policies.setPaused("other", false);
    },
  };
}

/** Waits until a run after the last one has ended, and none is under way. */
async function nextRun(fixture: HostFixture, last?: PolicyRun): Promise<PolicyRun> {
  return eventually(async () => {
    const [newest] = await runsOf(fixture);
    const isIdle = (await statusOf(fixture)).state !== "RUNNING" && newest?.state !== "RUNNING";
    return isIdle && newest?.id !== last?.id ? newest : undefined;
  });
}

describe("a full disk", () => {
  /** A file system without space for the files below a path whose names match. */
  function fillable(): FileSystem & { full: { path: string; names: RegExp } | undefined } {
    const noSpace = (path: string) =>
      Object.assign(new Error(`ENOSPC: injected, write '${path}'`), { code: "ENOSPC", path });
    const isFull = (path: string) =>
      files.full !== undefined && path.startsWith(files.full.path) && files.full.names.test(path);
    const wrap = (file: OpenFile, path: string): OpenFile => ({
      ...file,
      async write(bytes, position) {
        if (isFull(path)) throw noSpace(path);
        await file.write(bytes, position);
      },
      async sync() {
        if (isFull(path)) throw noSpace(path);
        await file.sync();
      },
    });
    const files: ReturnType<typeof fillable> = {
      ...nodeFileSystem,
      full: undefined,
      create: async (path) => wrap(await nodeFileSystem.create(path), path),
      openToWrite: async (path) => wrap(await nodeFileSystem.openToWrite(path), path),
    };
    return files;
  }

  const copying = (fixture: HostFixture) =>
    spec(fixture, {
      retention: { keepLast: 1 },
      copies: [{ destination: fixture.uri("copy") }],
      webhooks,
    });

  test("fails a run without harm at each file, and the next one recovers", async () => {
    const files = fillable();
    const fixture = await hostFixture({ platform: { ...systemPlatform, lease, files } });
    await fixture.host.policies.create(copying(fixture));
    await fixture.put("a", { n: 0 });
    expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
    let failures = 0;
    for (const name of ["primary", "copy"])
      for (const names of [/holdfast-lease$/, /staging-.*\/[^/]+$/, /\.tmp$/]) {
        const path = join(fixture.root, name);
        await fixture.put("a", { n: (failures += 1) });
        const before = filesIn(path);
        const copied = filesIn(join(fixture.root, "copy"));
        files.full = { path, names };
        const failed = await run(fixture);
        const at = `${name} ${names}`;
        expect({ at, state: failed.state }).toEqual({ at, state: "FAILED" });
        const step = failed.steps.find(({ error }) => error);
        expect({ at, kind: step?.kind, reason: step?.error?.reason }).toEqual({
          at,
          kind: name === "primary" ? "backup" : "copy",
          reason: "DESTINATION_FULL",
        });
        expect(step?.error?.message).toContain(path);
        expect(await problemsOf(fixture)).toEqual(["failing"]);
        await eventually(async () => !(await fixture.host.management.host()).backupHealth.healthy);
        expect(filesIn(path)).toEqual(before);
        expect(filesIn(join(fixture.root, "copy"))).toEqual(copied);
        files.full = undefined;
        expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
        expect(await problemsOf(fixture)).toEqual([]);
        await eventually(async () => (await fixture.host.management.host()).backupHealth.healthy);
        await expectEvents(fixture, {
          "policy.run.failed": failures,
          "policy.recovered": failures,
        });
        for (const one of ["primary", "copy"]) {
          expect(manifestsIn(join(fixture.root, one))).toHaveLength(1);
          expect(await strayFiles(join(fixture.root, one))).toEqual([]);
        }
      }
    expect(await unfinishedFiles(fixture.root)).toEqual([]);
    await verified(fixture, fixture.uri("primary"));
    await expectRestores(fixture, "copy");
  });

  test.each(["primary", "copy"] as const)(
    "of the %s destination fails the run, and the next one recovers",
    async (name) => {
      const disk = smallDisk(8);
      if (disk === undefined) return;
      const fixture = await hostFixture();
      const uri = pathToFileURL(join(disk, name)).href;
      const policy = copying(fixture);
      await fixture.host.policies.create(
        name === "primary"
          ? { ...policy, destination: uri }
          : { ...policy, copies: [{ destination: uri }] },
      );
      await fixture.put("a", {});
      expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
      for (let i = 0; i < 40; i += 1) await fixture.put(`d${i}`, { pad: "x".repeat(20_000) });
      const before = filesIn(join(disk, name));
      const release = fill(disk, 200);
      const { state, steps } = await run(fixture);
      expect(state).toBe("FAILED");
      expect(steps.at(-1)).toMatchObject({
        kind: name === "primary" ? "backup" : "copy",
        error: { reason: "DESTINATION_FULL" },
      });
      expect(await problemsOf(fixture)).toEqual(["failing"]);
      expect(filesIn(join(disk, name))).toEqual(before);
      await verified(fixture, uri);
      release();
      expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
      expect(await problemsOf(fixture)).toEqual([]);
      await expectEvents(fixture, { "policy.run.failed": 1, "policy.recovered": 1 });
      // The newest one, and the one that was verified above.
      expect(await verified(fixture, uri)).toHaveLength(2);
      expect(await strayFiles(join(disk, name))).toEqual([]);
    },
  );
});

test("an outage of hours backs off, is reported once, and ends with one run that catches up", async () => {
  const store = new MemoryStore();
  const away = new Set<string>();
  const memory = new MemoryScheme((bucket) =>
    faultyDestination(new MemoryDestination(store, bucket), () =>
      away.has(bucket) ? "before" : undefined,
    ),
  );
  const { fixture, move } = await movedHost({ destinations: { memory } });
  const { policies } = fixture.host;
  await policies.create(
    spec(fixture, {
      destination: "memory:primary",
      copies: [{ destination: "memory:copy", maxLagMs: hourMs }],
      retention: { keepLast: 2 },
      webhooks,
    }),
  );
  await fixture.put("a", { n: 0 });
  await move(6 * hourMs);
  const worked = await nextRun(fixture);
  expect(worked).toMatchObject({ state: "SUCCEEDED", reason: "SCHEDULED" });

  /** Lets the policy retry until its next planned run has failed too. Returns the pauses in minutes. */
  async function retryUntilPlanned(): Promise<number[]> {
    const pauses: number[] = [];
    for (;;) {
      const [last] = await runsOf(fixture);
      const { state, retryMicros, nextRunsMicros, nowMicros } = await statusOf(fixture);
      expect(state).toBe("RETRYING");
      const plannedMicros = nextRunsMicros[0] ?? 0;
      const isRetry = retryMicros < plannedMicros;
      if (isRetry)
        pauses.push(Math.round((retryMicros - (last?.endTimeMicros ?? 0)) / 1000 / minuteMs));
      await move((Math.min(retryMicros, plannedMicros) - nowMicros) / 1000);
      const failed = await nextRun(fixture, last);
      expect(failed).toMatchObject({ state: "FAILED", reason: isRetry ? "RETRY" : "SCHEDULED" });
      if (!isRetry) return pauses;
    }
  }

  away.add("primary");
  await fixture.put("a", { n: 1 });
  await move(6 * hourMs);
  const first = await nextRun(fixture, worked);
  expect(first.steps).toMatchObject([
    { kind: "backup", error: { reason: "DESTINATION_UNREACHABLE" } },
  ]);
  const maxMinutes = limits.policyRetryMaxMs / minuteMs;
  expect(await retryUntilPlanned()).toEqual([
    ...[1, 2, 4, 8, 16, 32],
    ...[maxMinutes, maxMinutes, maxMinutes, maxMinutes],
  ]);
  await expectEvents(fixture, { "policy.run.failed": 1 });
  // The machine was suspended: twelve planned times passed.
  const before = await runsOf(fixture);
  await move(3 * dayMs);
  const missed = await nextRun(fixture, before[0]);
  expect(missed).toMatchObject({ state: "FAILED", reason: "MISSED" });
  expect(await runsOf(fixture)).toHaveLength(before.length + 1);

  away.clear();
  away.add("copy");
  await move(limits.policyRetryMaxMs);
  const half = await nextRun(fixture, missed);
  expect(half.steps.map(({ kind, error }) => [kind, error === undefined])).toEqual([
    ["backup", true],
    ["retention", true],
    ["copy", false],
  ]);
  await move(2 * limits.policyRetryMaxMs);
  const late = await nextRun(fixture, half);
  expect(await problemsOf(fixture)).toEqual(["failing", "lag"]);
  await expectEvents(fixture, {
    "policy.run.failed": 1,
    "policy.schedule.missed": 1,
    "policy.copy.lagging": 1,
  });

  away.clear();
  const { retryMicros, nowMicros } = await statusOf(fixture);
  await move((retryMicros - nowMicros) / 1000);
  const recovered = await nextRun(fixture, late);
  expect(recovered).toMatchObject({ state: "SUCCEEDED", reason: "RETRY" });
  const { problems, progress, state } = await statusOf(fixture);
  expect({ problems, state }).toEqual({ problems: [], state: "ACTIVE" });
  const backupName = recovered.steps[0]?.backupName;
  for (const uri of ["memory:primary", "memory:copy"]) {
    expect(progress.destinations[uri]).toMatchObject({ backupName, behindSinceMicros: 0 });
    expect(await verified(fixture, uri)).toHaveLength(2);
  }
  await expectEvents(fixture, {
    "policy.run.failed": 1,
    "policy.schedule.missed": 1,
    "policy.copy.lagging": 1,
    "policy.recovered": 1,
  });
  // Nothing is left to catch up.
  await move(limits.policyRetryMaxMs);
  expect((await runsOf(fixture))[0]?.id).toBe(recovered.id);
});

/** A platform on which the next backup stops at a failpoint until the test lets it go on. */
function heldPlatform(at: FailpointName) {
  let release = () => {};
  let reached = () => {};
  let held: Promise<void> | undefined;
  return {
    platform: {
      ...systemPlatform,
      lease,
      async failpoint(name: FailpointName) {
        if (name !== at || held === undefined) return;
        reached();
        await held;
      },
    },
    /** Resolves to what lets the run go on, when `start` has started a run and it is held. */
    async hold<T>(start: () => T): Promise<{ started: T; release: () => void }> {
      held = new Promise((resolve) => {
        release = () => {
          held = undefined;
          resolve();
        };
      });
      const arrived = new Promise<void>((resolve) => (reached = resolve));
      const started = start();
      await arrived;
      return { started, release };
    },
  };
}

describe("a policy that changes while it runs", () => {
  test("goes on as it was, and the waiting run is as it is now", async () => {
    const { platform, hold } = heldPlatform("backup:snapshot-taken");
    const fixture = await hostFixture({ platform });
    const { policies } = fixture.host;
    await policies.create(
      spec(fixture, {
        retention: { keepLast: 1 },
        copies: [{ destination: fixture.uri("copy") }],
      }),
    );
    await fixture.put("a", { n: 0 });
    await run(fixture);
    await fixture.put("a", { n: 1 });
    const { started, release } = await hold(() => policies.run("daily", "BACKUP"));
    const waiting = policies.run("daily", "BACKUP");
    await policies.update(
      spec(fixture, { destination: fixture.uri("new"), retention: { keepLast: 3 } }),
    );
    release();
    const asItWas = await ended(fixture, started.id);
    expect(asItWas.steps.map(({ kind, destination }) => [kind, destination])).toEqual([
      ["backup", fixture.uri("primary")],
      ["retention", fixture.uri("primary")],
      ["copy", fixture.uri("copy")],
      ["retention", fixture.uri("copy")],
    ]);
    const asItIs = await ended(fixture, waiting.id);
    expect(asItIs.steps.map(({ kind, destination }) => [kind, destination])).toEqual([
      ["backup", fixture.uri("new")],
      ["retention", fixture.uri("new")],
    ]);
    for (const name of ["primary", "copy"])
      expect(manifestsIn(join(fixture.root, name))).toEqual([asItWas.steps[0]?.backupName]);
    expect(manifestsIn(join(fixture.root, "new"))).toEqual([asItIs.steps[0]?.backupName]);
    const { status } = toPolicy(await policies.get("daily"));
    expect(status?.destinations?.map(({ uri }) => uri)).toEqual([fixture.uri("new")]);
    await verified(fixture, fixture.uri("new"));
  });

  test("leaves nothing when it is removed, and a new one of its name starts clean", async () => {
    const { platform, hold } = heldPlatform("backup:segment-staged");
    const fixture = await hostFixture({ platform });
    const { policies } = fixture.host;
    await policies.create(spec(fixture, { copies: [{ destination: fixture.uri("copy") }] }));
    await fixture.put("a", { n: 0 });
    await run(fixture);
    const before = filesIn(join(fixture.root, "primary"));
    await fixture.put("a", { n: 1 });
    const { release } = await hold(() => policies.run("daily", "BACKUP"));
    policies.run("daily", "BACKUP");
    const removed = policies.remove("daily");
    release();
    await removed;
    expect(await unfinishedFiles(fixture.root)).toEqual([]);
    for (const name of ["primary", "copy"]) {
      expect(filesIn(join(fixture.root, name))).toEqual(before);
      expect(await strayFiles(join(fixture.root, name))).toEqual([]);
    }
    const data = join(fixture.root, "data");
    expect(existsSync(join(data, "policy-runs", "daily.json"))).toBe(false);
    await eventually(
      () => !readFileSync(join(data, "policy-progress.json"), "utf8").includes("daily"),
    );
    await policies.create(spec(fixture));
    expect(await runsOf(fixture)).toEqual([]);
    expect((await statusOf(fixture)).progress).toMatchObject({
      lastSuccessMicros: 0,
      skippedRuns: 0,
    });
    const again = await run(fixture);
    expect(again).toMatchObject({ state: "SUCCEEDED" });
    expect((await runsOf(fixture)).map(({ id }) => id)).toEqual([again.id]);
  });

  test("plans no retry of a run that fails while it is paused", async () => {
    let fails = false;
    const { fixture, move } = await movedHost(
      {},
      {
        failpoint: async (name) => {
          if (name !== "backup:segment-staged" || !fails) return;
          await fixture.host.policies.setPaused("daily", true);
          throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC" });
        },
      },
    );
    const { policies } = fixture.host;
    await policies.create(spec(fixture));
    await fixture.put("a", { n: 0 });
    fails = true;
    await move(6 * hourMs);
    const failed = await nextRun(fixture);
    expect(failed).toMatchObject({ state: "FAILED" });
    fails = false;
    expect(await policies.setPaused("daily", false)).toMatchObject({
      state: "ACTIVE",
      retryMicros: 0,
    });
    await move(6 * hourMs);
    expect(await nextRun(fixture, failed)).toMatchObject({
      state: "SUCCEEDED",
      reason: "SCHEDULED",
    });
  });
});

test("a policy that fails to copy is healthy when it has no copies any more", async () => {
  const store = new MemoryStore();
  let isAway = false;
  const memory = new MemoryScheme((bucket) =>
    faultyDestination(new MemoryDestination(store, bucket), () => (isAway ? "before" : undefined)),
  );
  const fixture = await hostFixture({ destinations: { memory } });
  await fixture.host.policies.create(spec(fixture, { copies: [{ destination: "memory:copy" }] }));
  await fixture.put("a", {});
  await run(fixture);
  isAway = true;
  expect(await run(fixture, "COPY")).toMatchObject({ state: "FAILED" });
  expect(await problemsOf(fixture)).toEqual(["failing"]);
  await fixture.host.policies.update(spec(fixture));
  expect(await problemsOf(fixture)).toEqual([]);
});

describe("two hosts at one destination", () => {
  test("each keeps its own backups, and all of them are whole", async () => {
    const destination = pathToFileURL(join(temporaryDirectory(), "shared")).href;
    const path = new URL(destination).pathname;
    const platform = { ...systemPlatform, lease: { ...lease, expiryMs: 5000 } };
    const hosts = [await hostFixture({ platform }), await hostFixture({ platform })];
    for (const fixture of hosts)
      await fixture.host.policies.create(
        spec(fixture, { destination, retention: { keepLast: 2 } }),
      );
    const written: string[][] = [[], []];
    for (let round = 0; round < 5; round += 1)
      await Promise.all(
        hosts.map(async (fixture, i) => {
          await fixture.put("a", { host: i, round });
          // Segments that only some of the backups need.
          if (round % 2 === 1)
            await fixture.finish(
              fixture.host.management.backup({
                destination,
                container: "DIRECTORY",
                indexLink: "/core/document-index",
                full: true,
              }),
            );
          const ran = await run(fixture);
          expect(ran).toMatchObject({ state: "SUCCEEDED" });
          for (const warning of ran.steps.flatMap(({ warnings }) => warnings))
            expect(warning).toMatch(/also contains a newer backup of another index/);
          written[i]?.push(ran.steps[0]?.backupName ?? "");
        }),
      );
    for (const [i, fixture] of hosts.entries()) {
      const own = (await fixture.host.management.listBackups(destination)).filter(
        ({ backup }) => backup?.hostId === fixture.host.id,
      );
      expect(own).toHaveLength(2);
      expect(own.map(({ name }) => name)).toContain(written[i]?.at(-1));
      expect(await verified(fixture, destination)).toHaveLength(4);
      const newest = written[i]?.at(-1) ?? "";
      const expected = await fixture.contents();
      await fixture.put("a", { wrong: 1 });
      await fixture.finish(
        fixture.host.management.restore({
          source: destination,
          manifest: newest,
          indexLink: "/core/document-index",
        }),
      );
      expect(await fixture.contents()).toEqual(expected);
    }
    expect(await strayFiles(path)).toEqual([]);
    expect(await unfinishedFiles(path)).toEqual([]);
  });

  test("a lock that stays busy is tried again", async () => {
    const { fixture, move } = await movedHost({}, { lease: { ...lease, waitMs: 100 } });
    await fixture.host.policies.create(spec(fixture));
    await fixture.put("a", {});
    const first = await run(fixture);
    await fixture.put("a", { n: 1 });
    const held = await acquireLease(
      { ...systemPlatform, lease },
      join(fixture.root, "primary", ".holdfast-lease"),
      AbortSignal.timeout(20_000),
    );
    await move(6 * hourMs);
    const failed = await nextRun(fixture, first);
    expect(failed).toMatchObject({
      state: "FAILED",
      steps: [{ error: { reason: "DESTINATION_BUSY" } }],
    });
    expect(await statusOf(fixture)).toMatchObject({ state: "RETRYING" });
    await held.release();
    await move(limits.policyRetryMs);
    expect(await nextRun(fixture, failed)).toMatchObject({ state: "SUCCEEDED", reason: "RETRY" });
    expect(await verified(fixture, fixture.uri("primary"))).toHaveLength(2);
  });
});

test("a host with as many policies as it may have starts, serves and runs those that are due", async () => {
  const store = new MemoryStore();
  const memory = new MemoryScheme((bucket) => new MemoryDestination(store, bucket));
  let mostAtOnce = 0;
  const { fixture, move } = await movedHost(
    { destinations: { memory } },
    {
      failpoint: async (name) => {
        if (name === "backup:segment-staged") mostAtOnce = Math.max(mostAtOnce, store.staging.size);
      },
    },
  );
  const policy = (i: number, due: boolean) =>
    spec(fixture, {
      name: `p${i}`,
      destination: `memory:p${i}`,
      schedule: due
        ? { kind: "interval", everyMs: 6 * hourMs }
        : { kind: "cron", expression: "0 3 1 1 *", timeZone: "Europe/Berlin" },
    });
  await fixture.put("a", {});
  await fixture.host.policies.create(policy(0, true));
  await fixture.stop();
  // As the host has stored the one policy; to create each takes the time of a larger file.
  const path = join(fixture.root, "data", "policies.json");
  const [json = ""] = readFileSync(path, "utf8").split("\n");
  const file = JSON.parse(json) as { policies: { spec: PolicySpec }[] };
  const stored = file.policies.find((one) => one.spec.name === "p0");
  const due = 12;
  for (let i = 1; file.policies.length < limits.policies - 1; i += 1)
    file.policies.push({ ...stored, spec: policy(i, i < due) });
  writeFileSync(path, JSON.stringify(file));
  const { rss } = process.memoryUsage();

  await fixture.restart();
  const { policies } = fixture.host;
  await policies.create(policy(limits.policies, false));
  await expect(policies.create(policy(limits.policies + 1, false))).rejects.toMatchObject({
    reason: "POLICY_LIMIT",
  });
  let turns = 0;
  let isListed = false;
  const turn = () => {
    turns += 1;
    if (!isListed) setImmediate(turn);
  };
  setImmediate(turn);
  const views = await policies.list();
  isListed = true;
  // Other requests are served meanwhile.
  expect(turns).toBeGreaterThan(10);
  // With the automatic backups.
  expect(views).toHaveLength(limits.policies + 1);
  expect(views.filter(({ nextRunsMicros }) => nextRunsMicros.length === 0)).toHaveLength(1);

  await move(6 * hourMs);
  for (let i = 0; i < due; i += 1) {
    const last = await eventually(async () =>
      (await runsOf(fixture, `p${i}`)).find(({ state }) => state !== "RUNNING"),
    );
    expect(last).toMatchObject({ state: "SUCCEEDED", reason: "SCHEDULED" });
    expect(await verified(fixture, `memory:p${i}`)).toHaveLength(1);
  }
  expect(mostAtOnce).toBe(limits.concurrentPolicyRuns);
  expect([...store.buckets.values()].filter(({ size }) => size > 0)).toHaveLength(due);
  expect(process.memoryUsage().rss - rss).toBeLessThan(512 * 1024 * 1024);
});

test("jumps of the clock neither stop the runs nor repeat them, and the newest backup stays", async () => {
  const { fixture, move } = await movedHost();
  await fixture.host.policies.create(
    spec(fixture, {
      schedule: { kind: "cron", expression: "0 * * * *", timeZone: "UTC" },
      retention: { keepLast: 1 },
      copies: [{ destination: fixture.uri("copy") }],
    }),
  );
  let count = 0;
  /** Moves the clock; exactly one run follows, which backs up the newest write. */
  async function oneRun(ms: number, reason: string): Promise<void> {
    const [last] = await runsOf(fixture);
    await fixture.put("a", { n: (count += 1) });
    await move(ms);
    const ran = await nextRun(fixture, last);
    expect({ count, state: ran.state, reason: ran.reason }).toEqual({
      count,
      state: "SUCCEEDED",
      reason,
    });
    expect(await runsOf(fixture)).toHaveLength(count);
    for (const name of ["primary", "copy"])
      expect(manifestsIn(join(fixture.root, name))).toContain(ran.steps[0]?.backupName);
  }
  await oneRun(hourMs, "SCHEDULED");
  await move(-dayMs);
  for (let i = 0; i < 3; i += 1) await oneRun(hourMs, "SCHEDULED");
  await oneRun(365 * dayMs, "MISSED");
  await oneRun(hourMs, "SCHEDULED");
  await move(-365 * dayMs);
  await oneRun(hourMs, "SCHEDULED");
  await move(-dayMs);
  await fixture.restart();
  await oneRun(hourMs, "SCHEDULED");
  expect((await statusOf(fixture)).progress).toMatchObject({ missedRuns: 1, skippedRuns: 0 });
  for (const name of ["primary", "copy"]) {
    await verified(fixture, fixture.uri(name));
    expect(await strayFiles(join(fixture.root, name))).toEqual([]);
  }
  await expectRestores(fixture, "copy");
});

test("after the clock went back, a limit of age counts from then", async () => {
  const { fixture, move } = await movedHost();
  const schedule = { kind: "cron", expression: "0 0 29 2 *", timeZone: "UTC" } as const;
  await fixture.host.policies.create(spec(fixture, { schedule, maxAgeMs: 2 * hourMs }));
  await fixture.put("a", {});
  expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
  await move(-300 * dayMs);
  await eventually(async () => {
    const { progress, nowMicros } = await statusOf(fixture);
    return progress.lastSuccessMicros <= nowMicros;
  });
  expect(await problemsOf(fixture)).toEqual([]);
  await move(3 * hourMs);
  expect(await problemsOf(fixture)).toEqual(["overdue"]);
});
