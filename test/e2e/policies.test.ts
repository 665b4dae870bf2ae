import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import type { BackupResult } from "../../src/backup/backup-request.js";
import { generateIdentity } from "../../src/encryption/identities.js";
import { systemPlatform } from "../../src/io/platform.js";
import type { PolicySpec, RunKind } from "../../src/policy/policy.js";
import type { PolicyRun } from "../../src/service/policies/policy-run.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import type { Destination } from "../../src/destination/destination.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";
import { policySpec as spec } from "../support/policy-spec.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { startReceiver } from "../support/webhook-receiver.js";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** Starts a run and returns it when it has ended. */
async function run(fixture: HostFixture, kind: RunKind = "BACKUP"): Promise<PolicyRun> {
  const { id } = fixture.host.policies.run("daily", kind);
  return eventually(async () =>
    (await fixture.host.policies.runs("daily", 100)).runs.find(
      (one) => one.id === id && one.state !== "RUNNING",
    ),
  );
}

const manifestsIn = (fixture: HostFixture, name: string) =>
  readdirSync(join(fixture.root, name)).filter((one) => /^manifest-.*\.json$/.test(one));
const statusOf = (fixture: HostFixture, name = "daily") => fixture.host.policies.get(name);

test("backs up, copies, retains, verifies and restores on trial", async () => {
  const fixture = await hostFixture();
  const policy = spec(fixture, {
    retention: { keepLast: 2 },
    copies: [{ destination: fixture.uri("copy") }],
  });
  const created = await fixture.host.policies.create(policy);
  expect(created.nextRunsMicros).toHaveLength(5);
  expect(created.otherRuns).toEqual([]);
  const names: string[] = [];
  for (let i = 0; i < 4; i += 1) {
    await fixture.put(`d${i}`, { i });
    const ended = await run(fixture);
    expect(ended).toMatchObject({ state: "SUCCEEDED", reason: "REQUESTED" });
    expect(ended.steps.map(({ kind }) => kind)).toEqual([
      "backup",
      "retention",
      "copy",
      "retention",
    ]);
    names.push(ended.steps[0]?.backupName ?? "");
    if (i === 0)
      await fixture.host.management.pinBackup(fixture.uri("primary"), names[0] ?? "", "audit");
  }
  expect(manifestsIn(fixture, "primary")).toEqual([names[0], names[2], names[3]]);
  expect(manifestsIn(fixture, "copy")).toEqual([names[2], names[3]]);
  expect((await run(fixture, "VERIFY")).steps).toHaveLength(2);
  expect((await run(fixture, "RESTORE_TEST")).state).toBe("SUCCEEDED");
  const { progress, problems, uris } = await statusOf(fixture);
  expect(problems).toEqual([]);
  for (const uri of uris) {
    const known = progress.destinations[uri];
    expect(known).toMatchObject({ backupName: names[3], lastError: "", behindSinceMicros: 0 });
    expect(known?.lastVerification).toMatchObject({ passed: true, level: "FULL" });
    expect(known?.lastRestoreTest).toMatchObject({ passed: true, compared: true, documents: 4 });
    expect(known?.lastProvenRestoreMicros).toBeGreaterThan(0);
  }
  // The copy restores by itself.
  rmSync(join(fixture.root, "primary"), { recursive: true });
  await fixture.put("d0", { i: "wrong" });
  await fixture.restore("copy");
  expect(await fixture.contents()).toMatchObject({ d0: JSON.stringify({ i: 0 }) });
});

test("keeps what other hosts wrote, and what a client wrote, to the rules", async () => {
  const fixture = await hostFixture();
  const other = await hostFixture({}, join(fixture.root, "other"));
  await other.put("x", {});
  const { backup: foreign } = await other.finish<BackupResult>(
    other.host.management.backup({
      destination: fixture.uri("primary"),
      container: "DIRECTORY",
      indexLink: "/core/document-index",
    }),
  );
  await fixture.host.policies.create(spec(fixture, { retention: { keepLast: 3 } }));
  await fixture.put("a", {});
  const first = await run(fixture);
  await fixture.put("a", { n: 2 });
  // A backup of a client to the destination of a policy removes no earlier ones.
  const { backup: manual } = await fixture.finish<BackupResult>(
    fixture.host.management.backup({
      destination: `file:${join(fixture.root, "primary")}/`,
      container: "DIRECTORY",
      indexLink: "/core/document-index",
    }),
  );
  await fixture.put("a", { n: 3 });
  const second = await run(fixture);
  const names = [first.steps[0], second.steps[0]].map((step) => step?.backupName ?? "");
  expect(manifestsIn(fixture, "primary").sort()).toEqual(
    [foreign.name, manual.name, ...names].sort(),
  );
  const preview = await fixture.host.policies.preview(
    "daily",
    { keepLast: 1 },
    AbortSignal.timeout(20_000),
  );
  expect(preview.destinations[0]?.decisions).toEqual([
    expect.objectContaining({ name: names[1], keep: true }),
    expect.objectContaining({ name: manual.name, keep: false, reasons: ["matches no rule"] }),
    expect.objectContaining({ name: names[0], keep: false }),
  ]);
  expect(manifestsIn(fixture, "primary")).toHaveLength(4);
});

test("plans each task, and warns of a limit of age that each pause between backups exceeds", async () => {
  const fixture = await hostFixture();
  const hourly = { kind: "interval", everyMs: 3_600_000 } as const;
  const { policies } = fixture.host;
  const view = await policies.create(
    spec(fixture, {
      schedule: { kind: "continuous" },
      copies: [{ destination: fixture.uri("copy"), schedule: hourly }],
      verify: { level: "FULL", schedule: { kind: "interval", everyMs: 7_200_000 } },
      restoreTest: { schedule: { kind: "interval", everyMs: 14_400_000 } },
      maxAgeMs: 60_000,
    }),
  );
  expect(view.nextRunsMicros).toEqual([]);
  expect(view.otherRuns.map(({ kind, destination }) => [kind, destination])).toEqual([
    ["COPY", fixture.uri("copy")],
    ["VERIFY", ""],
    ["RESTORE_TEST", ""],
  ]);
  const [copy, verify] = view.otherRuns;
  expect((verify?.timeMicros ?? 0) - (copy?.timeMicros ?? 0)).toBe(3_600_000_000);
  expect(view.warnings).toEqual([]);
  await policies.setPaused("daily", true);
  expect((await statusOf(fixture)).otherRuns).toEqual([]);
  const tooShort = spec(fixture, {
    name: "hourly",
    destination: fixture.uri("hourly"),
    schedule: hourly,
    maxAgeMs: 1_800_000,
  });
  expect((await policies.create(tooShort)).warnings).toEqual([
    expect.stringMatching(/^Backups are up to 1h apart, and max_age is 30m/),
  ]);
});

test("a restore test that could not compare proves nothing, and a failed one is damage only if it found some", async () => {
  const fixture = await hostFixture();
  const weekly = { kind: "cron", expression: "0 4 * * 0", timeZone: "UTC" } as const;
  const policy = spec(fixture, {
    restoreTest: { schedule: weekly },
    copies: [{ destination: fixture.uri("copy"), schedule: weekly }],
  });
  await fixture.host.policies.create(policy);
  const metric = async (name: string, directory: string) => {
    const text = await (
      await fetch(`http://127.0.0.1:${fixture.host.httpAddress.port}/metrics`)
    ).text();
    const line = text
      .split("\n")
      .find((one) => one.startsWith(`holdfast_policy_${name}{`) && one.includes(`/${directory}"`));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  };
  await fixture.put("a", { n: 1 });
  await run(fixture);
  // The copy has no backup yet: its test fails, and finds no damage.
  expect(await run(fixture, "RESTORE_TEST")).toMatchObject({ state: "FAILED" });
  expect(await metric("damaged", "copy")).toBe(0);
  expect(await metric("restore_test_passed", "copy")).toBe(0);
  expect(await metric("restore_test_passed", "primary")).toBe(1);
  expect(await metric("restore_unproven_seconds", "copy")).toBeGreaterThan(0);
  const provenOf = async (directory: string) =>
    (await statusOf(fixture)).progress.destinations[fixture.uri(directory)]
      ?.lastProvenRestoreMicros;
  const proven = await provenOf("primary");
  expect(proven).toBeGreaterThan(0);
  // After a restore the live index has another history than the backup.
  await fixture.restore("primary");
  await run(fixture, "RESTORE_TEST");
  const { lastRestoreTest } =
    (await statusOf(fixture)).progress.destinations[fixture.uri("primary")] ?? {};
  expect(lastRestoreTest).toMatchObject({ passed: true, compared: false });
  expect(await provenOf("primary")).toBe(proven);
});

test.each([
  [
    "an address that is never allowed",
    { heartbeats: ["http://169.254.169.254/key"] },
    "notify.heartbeats[0]",
  ],
  [
    "such an address in another form",
    { webhooks: [{ url: "http://[::ffff:169.254.169.254]/", secret, events: [] }] },
    "notify.webhooks[0].url",
  ],
])("refuses to notify %s", async (_what, notify, field) => {
  const fixture = await hostFixture();
  await expect(fixture.host.policies.create(spec(fixture, notify))).rejects.toMatchObject({
    reason: "ADDRESS_NOT_ALLOWED",
    metadata: { field },
  });
  expect(await fixture.host.policies.list()).toHaveLength(1);
});

test("reports damage, tells webhooks and heartbeats, and recovers", async () => {
  const receiver = await startReceiver();
  const fixture = await hostFixture();
  await fixture.host.policies.create(
    spec(fixture, {
      copies: [{ destination: fixture.uri("copy") }],
      webhooks: [{ url: `${receiver.origin}/hook?key=1`, secret, events: [] }],
      heartbeats: [`${receiver.origin}/beat`],
    }),
  );
  await fixture.put("a", {});
  await run(fixture);
  await eventually(() => receiver.requests.some(({ target }) => target === "/beat"));
  const [segment = ""] = readdirSync(join(fixture.root, "copy")).filter((name) =>
    name.startsWith("base-"),
  );
  const path = join(fixture.root, "copy", segment);
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.from(bytes).fill(0xff, 8192));
  expect(await run(fixture, "VERIFY")).toMatchObject({ state: "FAILED" });
  const { problems } = await statusOf(fixture);
  expect(problems.map(({ kind }) => kind)).toContain("damage");
  await eventually(async () => !(await fixture.host.management.host()).backupHealth.healthy);
  const hook = await eventually(() =>
    receiver.requests.find(({ target }) => target.startsWith("/hook")),
  );
  const verified = new Webhook(secret).verify(hook.body, hook.headers as Record<string, string>);
  expect(verified).toMatchObject({ type: "policy.damage.found", data: { policy: "daily" } });
  await eventually(() => fixture.host.policies.deliveries("daily")[0]?.state === "DELIVERED");
  writeFileSync(path, bytes);
  expect(await run(fixture, "VERIFY")).toMatchObject({ state: "SUCCEEDED" });
  expect((await statusOf(fixture)).problems).toEqual([]);
  // Secrets are on disk only in the file of the policies, and in no answer.
  const view = JSON.stringify(fixture.host.policies.deliveries("daily"));
  expect(view).not.toContain("key=1");
  expect(statSync(join(fixture.root, "data", "policies.json")).mode & 0o077).toBe(0);
});

test("copies catch up after an outage of their destination", async () => {
  const fixture = await hostFixture();
  await fixture.host.policies.create(
    spec(fixture, { copies: [{ destination: fixture.uri("copy"), maxLagMs: 1 }] }),
  );
  await fixture.put("a", {});
  await run(fixture);
  renameSync(join(fixture.root, "copy"), join(fixture.root, "away"));
  writeFileSync(join(fixture.root, "copy"), "not a directory");
  for (const n of [1, 2]) {
    await fixture.put("a", { n });
    const failed = await run(fixture);
    expect(failed.steps.map(({ kind, error }) => [kind, error !== undefined])).toEqual([
      ["backup", false],
      ["copy", true],
    ]);
  }
  const { problems } = await statusOf(fixture);
  expect(problems.map(({ kind }) => kind)).toEqual(["failing", "lag"]);
  rmSync(join(fixture.root, "copy"));
  renameSync(join(fixture.root, "away"), join(fixture.root, "copy"));
  expect(await run(fixture, "COPY")).toMatchObject({ state: "SUCCEEDED" });
  await run(fixture);
  expect((await statusOf(fixture)).problems).toEqual([]);
});

test("a copy catches up with all backups of an outage, and goes on behind a damaged one", async () => {
  const fixture = await hostFixture();
  await fixture.host.policies.create(
    spec(fixture, { copies: [{ destination: fixture.uri("copy") }] }),
  );
  const backUp = async (n: number) => {
    await fixture.put("a", { n });
    return run(fixture);
  };
  await backUp(1);
  renameSync(join(fixture.root, "copy"), join(fixture.root, "away"));
  writeFileSync(join(fixture.root, "copy"), "a file");
  for (const n of [2, 3]) expect((await backUp(n)).state).toBe("FAILED");
  rmSync(join(fixture.root, "copy"));
  renameSync(join(fixture.root, "away"), join(fixture.root, "copy"));
  const missed = manifestsIn(fixture, "primary").slice(1);
  const [copied] = (await run(fixture, "COPY")).steps;
  expect(copied).toMatchObject({ copiedBackups: missed, backupName: missed[1] });
  expect(manifestsIn(fixture, "copy")).toEqual(manifestsIn(fixture, "primary"));
  expect((await run(fixture, "COPY")).steps[0]).toMatchObject({ copiedBackups: [], bytes: 0 });
  for (const name of missed)
    await fixture.finish(fixture.host.management.verifyBackup(fixture.uri("copy"), name));
  // The segment of the next backup is damaged at the source, and the one after it has a new base.
  const before = new Set(readdirSync(join(fixture.root, "primary")));
  const { policies } = fixture.host;
  await policies.update(spec(fixture));
  await backUp(4);
  const segment = readdirSync(join(fixture.root, "primary")).find(
    (name) => !before.has(name) && name.endsWith(".sqlite"),
  );
  const path = join(fixture.root, "primary", segment ?? "");
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  await fixture.put("a", { n: 5 });
  await fixture.backup("primary", { container: "DIRECTORY", full: true });
  await policies.update(spec(fixture, { copies: [{ destination: fixture.uri("copy") }] }));
  const failed = await run(fixture, "COPY");
  expect(failed).toMatchObject({
    state: "FAILED",
    steps: [{ error: { reason: "BACKUP_DAMAGED" } }],
  });
  const names = manifestsIn(fixture, "primary");
  expect(manifestsIn(fixture, "copy")).toEqual([...names.slice(0, 3), names[4]]);
  expect(await run(fixture, "COPY")).toMatchObject({ state: "SUCCEEDED" });
});

test("verifies and tests encrypted backups with the identity of the host, and fails without", async () => {
  const { identityFile, recipient } = await generateIdentity({ createdMs: 0 });
  const fixture = await hostFixture({ recipients: recipient });
  await fixture.host.policies.create(
    spec(fixture, { copies: [{ destination: fixture.uri("copy") }] }),
  );
  await fixture.put("a", { n: 1 });
  expect((await run(fixture)).state).toBe("SUCCEEDED");
  const error = { reason: "IDENTITY_MISSING" };
  for (const kind of ["VERIFY", "RESTORE_TEST"] as const)
    expect(await run(fixture, kind)).toMatchObject({
      state: "FAILED",
      steps: [{ error }, { error }],
    });
  await fixture.restart({ identities: identityFile });
  for (const kind of ["VERIFY", "RESTORE_TEST"] as const)
    expect((await run(fixture, kind)).state).toBe("SUCCEEDED");
  expect((await statusOf(fixture)).problems).toEqual([]);
  // It opens nothing for clients.
  const { management } = fixture.host;
  await expect(fixture.finish(management.verifyBackup(fixture.uri("copy")))).rejects.toMatchObject(
    error,
  );
});

test("keeps results beside the backups, where other hosts see them and nothing is decided by them", async () => {
  const fixture = await hostFixture();
  const policy = spec(fixture, {
    retention: { keepLast: 1 },
    copies: [{ destination: fixture.uri("copy") }],
  });
  await fixture.host.policies.create(policy);
  await fixture.put("a", { n: 1 });
  await run(fixture);
  await run(fixture, "RESTORE_TEST");
  const [name = ""] = manifestsIn(fixture, "primary");
  const other = await hostFixture({}, join(fixture.root, "other"));
  const expected = {
    level: "TEST_RESTORE",
    passed: true,
    hostId: (await fixture.host.management.host()).id,
    documents: 1,
    compared: true,
    restoreMicros: expect.any(Number) as unknown,
  };
  for (const at of ["primary", "copy"])
    expect(await other.host.management.listBackups(fixture.uri(at))).toMatchObject([
      { name, lastVerification: expected },
    ]);
  // Somebody who can write to the destination claims damage: the host knows better.
  const path = join(fixture.root, "copy", `${name}.verified`);
  const forged = {
    ...JSON.parse(readFileSync(path, "utf8")),
    passed: false,
    problem: "\u001b[31m",
  };
  writeFileSync(path, JSON.stringify(forged));
  expect(await other.host.management.listBackups(fixture.uri("copy"))).toMatchObject([
    { lastVerification: { passed: false } },
  ]);
  expect(await fixture.host.management.listBackups(fixture.uri("copy"))).toMatchObject([
    { lastVerification: { passed: true } },
  ]);
  // Removed with the backup when a newer one is verified, and a client leaves none.
  await fixture.put("a", { n: 2 });
  expect((await run(fixture)).state).toBe("SUCCEEDED");
  for (const at of ["primary", "copy"]) {
    expect(manifestsIn(fixture, at)).toContain(name);
    await fixture.finish(fixture.host.management.verifyBackup(fixture.uri(at)));
  }
  await fixture.put("a", { n: 3 });
  expect((await run(fixture)).state).toBe("SUCCEEDED");
  for (const at of ["primary", "copy"]) {
    expect(manifestsIn(fixture, at)).not.toContain(name);
    expect(readdirSync(join(fixture.root, at)).join()).not.toContain(".verified");
  }
});

test("tries a failed run on request again, and forgets its failure", async () => {
  const fixture = await hostFixture();
  await fixture.host.policies.create(
    spec(fixture, { copies: [{ destination: fixture.uri("copy") }] }),
  );
  await fixture.put("a", {});
  rmSync(join(fixture.root, "copy"), { recursive: true, force: true });
  writeFileSync(join(fixture.root, "copy"), "a file");
  expect((await run(fixture)).state).toBe("FAILED");
  const failed = await statusOf(fixture);
  expect(failed).toMatchObject({ state: "RETRYING", problems: [{ kind: "failing" }] });
  expect(failed.retryMicros).toBeGreaterThan(Date.now() * 1000);
  rmSync(join(fixture.root, "copy"));
  expect((await run(fixture)).state).toBe("SUCCEEDED");
  // A run is listed as ended shortly before its policy is idle.
  const { problems, retryMicros } = await eventually(async () => {
    const status = await statusOf(fixture);
    return status.state === "ACTIVE" && status;
  });
  expect({ problems, retryMicros }).toEqual({ problems: [], retryMicros: 0 });
});

test("returns no queries of URLs, and an update without them keeps them", async () => {
  const fixture = await hostFixture();
  const { policies } = fixture.host;
  const webhooks = [{ url: "http://127.0.0.1:9/hook?key=a", secret, events: [] }];
  const heartbeats = ["http://127.0.0.1:9/beat?key=b", "http://127.0.0.1:9/beat?key=c"];
  await policies.create(spec(fixture, { webhooks, heartbeats }));
  const { host, port } = fixture.host.httpAddress;
  const path = `http://${host}:${port}/v1/policies/daily`;
  const text = await (await fetch(path)).text();
  expect(text).not.toContain("key=");
  const updated = await fetch(path, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: text,
  });
  expect(updated.status).toBe(200);
  const { policy } = await policies.get("daily");
  expect(policy.spec).toMatchObject({ webhooks, heartbeats });
});

test("writes a copy again in which damage was found", async () => {
  const fixture = await hostFixture();
  const policy = { copies: [{ destination: fixture.uri("copy") }] };
  await fixture.host.policies.create(spec(fixture, policy));
  await fixture.put("a", { n: 1 });
  await run(fixture);
  const directory = join(fixture.root, "copy");
  const segment = readdirSync(directory).find((name) => name.endsWith(".sqlite")) ?? "";
  const bytes = readFileSync(join(directory, segment));
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(directory, segment), bytes);
  expect((await run(fixture, "VERIFY")).state).toBe("FAILED");
  const [, copied] = (await run(fixture)).steps.filter(({ kind }) => kind !== "retention");
  expect(copied?.kind).toBe("copy");
  expect(copied?.bytes).toBeGreaterThanOrEqual(bytes.length);
  expect(copied?.warnings.join()).toContain("was damaged");
  expect((await run(fixture, "VERIFY")).state).toBe("SUCCEEDED");
  expect((await statusOf(fixture)).problems).toEqual([]);
  // From then on, only manifests are written.
  const [, again] = (await run(fixture)).steps.filter(({ kind }) => kind !== "retention");
  expect(again?.warnings).toEqual([]);
  expect(again?.bytes).toBeLessThan(bytes.length / 2);
});

test("notices that backups are gone, and forgets what was proven of them", async () => {
  const receiver = await startReceiver();
  const fixture = await hostFixture();
  const policy = spec(fixture, {
    retention: { keepLast: 3 },
    copies: [{ destination: fixture.uri("copy") }],
    webhooks: [{ url: `${receiver.origin}/hook`, secret, events: ["policy.damage.found"] }],
  });
  await fixture.host.policies.create(policy);
  await fixture.put("a", { n: 1 });
  await run(fixture);
  expect((await run(fixture, "RESTORE_TEST")).state).toBe("SUCCEEDED");
  for (const [i, name] of ["primary", "copy"].entries()) {
    const { uris } = await statusOf(fixture);
    const uri = uris[i] ?? "";
    const path = join(fixture.root, name);
    renameSync(path, `${path}-moved`);
    await fixture.put("a", { n: i + 2 });
    // A backup goes on, since one without its past is better than none.
    const { state, steps } = await run(fixture);
    expect(state).toBe("SUCCEEDED");
    if (i === 0) expect(steps[0]?.warnings.join()).toContain("are no longer there");
    const { problems, progress } = await statusOf(fixture);
    expect(problems).toMatchObject([{ kind: "gone" }]);
    expect(problems[0]?.message).toContain(uri);
    expect(progress.destinations[uri]).toMatchObject({ lastProvenRestoreMicros: 0 });
    expect(progress.destinations[uri]?.lastRestoreTest).toBeUndefined();
    await eventually(() => receiver.requests.length === i + 1);
    // It lasts over further backups, and ends when what is there is proven.
    await fixture.put("b", { i });
    expect((await run(fixture)).steps[0]?.warnings).toEqual([]);
    expect((await statusOf(fixture)).problems).toMatchObject([{ kind: "gone" }]);
    await run(fixture, i === 0 ? "VERIFY" : "RESTORE_TEST");
    expect((await statusOf(fixture)).problems).toEqual([]);
  }
  expect(receiver.requests).toHaveLength(2);
});

test("a verification fails if the newest backup that was written is gone, and a run notices it", async () => {
  const fixture = await hostFixture();
  const policy = spec(fixture, {
    retention: { keepLast: 5 },
    copies: [{ destination: fixture.uri("copy") }],
  });
  await fixture.host.policies.create(policy);
  for (let n = 1; n <= 3; n += 1) {
    await fixture.put("a", { n });
    await run(fixture);
  }
  const [, , newest = ""] = manifestsIn(fixture, "copy").sort();
  renameSync(join(fixture.root, "copy", newest), join(fixture.root, "moved"));
  for (const kind of ["VERIFY", "RESTORE_TEST"] as const) {
    const { state, steps } = await run(fixture, kind);
    expect(state).toBe("FAILED");
    expect(steps[1]?.error?.message).toContain("a newer one was written");
  }
  expect((await statusOf(fixture)).problems.map(({ kind }) => kind)).toContain("damage");
  // The next run copies it again.
  await fixture.put("a", { n: 4 });
  await run(fixture);
  expect(manifestsIn(fixture, "copy")).toContain(newest);
  for (const kind of ["VERIFY", "RESTORE_TEST"] as const) await run(fixture, kind);
  expect((await statusOf(fixture)).problems).toEqual([]);

  const [last = ""] = manifestsIn(fixture, "primary").sort().reverse();
  renameSync(join(fixture.root, "primary", last), join(fixture.root, "moved-too"));
  await fixture.put("a", { n: 5 });
  expect((await run(fixture)).state).toBe("SUCCEEDED");
  expect((await statusOf(fixture)).problems).toMatchObject([{ kind: "gone" }]);
  await run(fixture, "VERIFY");
  expect((await statusOf(fixture)).problems).toEqual([]);
});

test("verifies the newest backup also where numbers begin anew, and warns of a segment that is missing", async () => {
  const fixture = await hostFixture();
  await fixture.host.policies.create(
    spec(fixture, { retention: { keepLast: 9 }, copies: [{ destination: fixture.uri("copy") }] }),
  );
  await fixture.put("a", { n: 1 });
  await run(fixture);
  await run(fixture);
  rmSync(join(fixture.root, "primary"), { recursive: true });
  const { steps } = await run(fixture);
  const name = steps[0]?.backupName ?? "";
  const verified = await run(fixture, "VERIFY");
  expect(verified.steps.map(({ backupName }) => backupName)).toEqual([name, name]);

  const [segment = ""] = readdirSync(join(fixture.root, "primary")).filter((one) =>
    one.endsWith(".sqlite"),
  );
  rmSync(join(fixture.root, "primary", segment));
  const signal = new AbortController().signal;
  const [primary] = (await fixture.host.policies.preview("daily", undefined, signal)).destinations;
  expect(primary?.decisions).toMatchObject([{ name, keep: true, reasons: ["damaged"] }]);
  await fixture.put("a", { n: 2 });
  expect((await run(fixture)).steps[0]?.warnings.join()).toContain(
    "is missing or has another size",
  );
});

test("warns of policies that remove each other's backups, and of heartbeats that fail", async () => {
  const fixture = await hostFixture();
  const { policies } = fixture.host;
  const receiver = await startReceiver();
  receiver.respond = (_request, response) => response.writeHead(500).end();
  await policies.create(
    spec(fixture, { retention: { keepLast: 1 }, heartbeats: [`${receiver.origin}/key`] }),
  );
  const weekly = spec(fixture, {
    name: "weekly",
    destination: `${fixture.uri("primary")}/`,
    retention: { keepLast: 5 },
  });
  await policies.create(weekly);
  await policies.create(spec(fixture, { name: "elsewhere", destination: fixture.uri("other") }));
  const warningsOf = async (name: string) => (await policies.get(name)).warnings;
  expect(await warningsOf("daily")).toEqual([expect.stringMatching(/^Policy weekly keeps/)]);
  expect(
    (await policies.list()).map(({ policy, warnings }) => [policy.spec.name, warnings.length]),
  ).toEqual([
    ["automatic", 0],
    ["daily", 1],
    ["elsewhere", 0],
    ["weekly", 1],
  ]);
  await policies.update({ ...weekly, retention: { keepLast: 1 } });
  expect(await warningsOf("daily")).toEqual([]);
  // Before the first run there is nothing to preview, which is no problem.
  const signal = new AbortController().signal;
  expect((await policies.preview("daily", undefined, signal)).destinations).toEqual([
    { destination: fixture.uri("primary"), decisions: [], freedBytes: 0 },
  ]);
  await fixture.put("a", {});
  await run(fixture);
  const [heartbeat] = await eventually(async () => {
    const { heartbeats } = await policies.get("daily");
    return heartbeats[0]?.lastError ? heartbeats : undefined;
  });
  expect(heartbeat).toMatchObject({ url: receiver.origin, lastSuccessMicros: 0 });
  expect(await warningsOf("daily")).toEqual([
    expect.stringMatching(/^The heartbeat to http:.* was not accepted: .*500/),
  ]);
  // The policy does what it promises all the same.
  expect((await policies.get("daily")).problems).toEqual([]);
}, 60_000);

test("refuses to copy what is no backup, an archive, or the destination itself", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", {});
  await fixture.backup("b.zip", { container: "ZIP" });
  await fixture.backup("b", { container: "DIRECTORY" });
  const copy = (source: string, destination = "copy") =>
    fixture.host.management.copyBackup({
      source: fixture.uri(source),
      destination: fixture.uri(destination),
    });
  await expect(copy("missing")).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
  await expect(copy("b.zip")).rejects.toMatchObject({ reason: "NOT_SUPPORTED" });
  await expect(copy("b", "b")).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
  expect(readdirSync(fixture.root)).not.toContain("copy");
});

test("makes up a missed run once after a restart, and jumps of the clock run once", async () => {
  let offsetMicros = 0;
  const nowMicros = () => Date.now() * 1000 + offsetMicros;
  const fixture = await hostFixture({ platform: { ...systemPlatform, nowMicros } });
  const hourly = { kind: "cron" as const, expression: "0 * * * *", timeZone: "UTC" };
  await fixture.host.policies.create(spec(fixture, { schedule: hourly }));
  await fixture.put("a", {});
  await fixture.stop();
  offsetMicros = 5 * 3_600_000_000;
  await fixture.restart();
  const runs = async () => (await fixture.host.policies.runs("daily", 10)).runs;
  await eventually(async () => (await runs()).some(({ state }) => state === "SUCCEEDED"));
  expect(await runs()).toMatchObject([{ reason: "MISSED", state: "SUCCEEDED" }]);
  expect((await statusOf(fixture)).progress.missedRuns).toBe(1);
  await fixture.restart();
  expect(await runs()).toHaveLength(1);
});

test.each([
  ["name", { name: "Not Valid" }],
  [
    "schedule.cron",
    { schedule: { kind: "cron" as const, expression: "0 0 30 2 *", timeZone: "UTC" } },
  ],
  ["schedule.time_zone", { timeZone: "Mars/Olympus" }],
  ["retention.keep_daily", { retention: { keepDaily: 0 } }],
  ["acknowledge", { acknowledge: "COPIED" as const }],
  ["notify.webhooks[0].secret", { webhooks: [{ url: "https://a.test", secret: "x", events: [] }] }],
  ["notify.heartbeats[0]", { heartbeats: ["ftp://a.test"] }],
  ["destination", { destination: "file:///proc/holdfast" }],
  ["destination", { destination: "nothing:/x" }],
  ["destination", { destination: "https://a.test/x" }],
  ["copies[0].destination", { copies: [{ destination: "file:///tmp/b.zip" }] }],
  ["recipients[0]", { recipients: ["age1xxx"] }],
])("refuses a policy with an invalid %s and creates nothing", async (field, more) => {
  const fixture = await hostFixture();
  const { policies } = fixture.host;
  await expect(policies.create(spec(fixture, more))).rejects.toMatchObject({ metadata: { field } });
  expect(await policies.list()).toHaveLength(1);
});

test("a policy of a file counts from when the host first saw it, and a change or a pause misses no run", async () => {
  const aheadMicros = { now: 0 };
  const platform = { ...systemPlatform, nowMicros: () => Date.now() * 1000 + aheadMicros.now };
  const root = temporaryDirectory();
  const policies = `- name: filed\n  destination: ${join(root, "filed")}\n  schedule: { interval: 1h }\n  max_age: 90m\n`;
  const fixture = await hostFixture({ platform, policies });
  await fixture.put("a", {});
  for (let round = 0; round < 2; round += 1) {
    aheadMicros.now += 40 * 60_000_000;
    await fixture.restart();
  }
  const ran = async (name: string) => (await fixture.host.policies.runs(name, 10)).runs;
  await eventually(async () => (await ran("filed")).some(({ state }) => state === "SUCCEEDED"));
  expect((await ran("filed")).map(({ reason }) => reason)).toEqual(["MISSED"]);

  const policy = spec(fixture, {
    schedule: { kind: "cron", expression: "0 0 29 2 *", timeZone: "UTC" },
  });
  await fixture.host.policies.create(policy);
  aheadMicros.now += 120 * 60_000_000;
  const hourly = { kind: "cron", expression: "0 * * * *", timeZone: "UTC" } as const;
  await fixture.host.policies.update({ ...policy, schedule: hourly });
  await fixture.host.policies.setPaused("daily", true);
  aheadMicros.now += 120 * 60_000_000;
  await fixture.host.policies.setPaused("daily", false);
  await sleep(300);
  expect(await ran("daily")).toEqual([]);
  expect((await statusOf(fixture)).progress.missedRuns).toBe(0);
});

test("changes, pauses and removes a policy", async () => {
  const fixture = await hostFixture();
  const { policies } = fixture.host;
  await policies.create(spec(fixture), { validateOnly: true });
  await expect(policies.get("daily")).rejects.toMatchObject({ reason: "POLICY_NOT_FOUND" });
  await policies.create(spec(fixture));
  await expect(policies.create(spec(fixture))).rejects.toMatchObject({ reason: "POLICY_EXISTS" });
  const changed = await policies.update(spec(fixture, { maxAgeMs: 60_000 }), { revision: 1 });
  expect(changed.policy).toMatchObject({ revision: 2, spec: { maxAgeMs: 60_000 } });
  await expect(policies.update(spec(fixture), { revision: 1 })).rejects.toMatchObject({
    reason: "POLICY_CHANGED",
  });
  expect(await policies.setPaused("daily", true)).toMatchObject({
    state: "PAUSED",
    nextRunsMicros: [],
  });
  await fixture.restart();
  expect(await statusOf(fixture)).toMatchObject({ state: "PAUSED" });
  await fixture.host.policies.setPaused("daily", false);
  await fixture.put("a", {});
  fixture.host.policies.run("daily", "BACKUP");
  // A run under way is cancelled; what it has written stays a valid destination.
  await fixture.host.policies.remove("daily");
  await expect(fixture.host.policies.runs("daily", 1)).rejects.toMatchObject({
    reason: "POLICY_NOT_FOUND",
  });
  await fixture.host.policies.create(spec(fixture));
  expect(await run(fixture)).toMatchObject({ state: "SUCCEEDED" });
});

describe("a continuous policy", () => {
  const continuous = (fixture: HostFixture, more: Partial<PolicySpec> = {}) =>
    spec(fixture, { schedule: { kind: "continuous" }, ...more });

  test("backs up each write, and restores from where it backs up to", async () => {
    const fixture = await hostFixture();
    await fixture.host.policies.create(continuous(fixture));
    await fixture.put("a", { n: 1 });
    const time = await fixture.put("b", { n: 2 });
    await eventually(
      async () =>
        ((await statusOf(fixture)).progress.destinations[fixture.uri("primary")]?.positionMicros ??
          0) >= time,
    );
    await fixture.put("a", { n: "wrong" });
    await fixture.restore("primary", { targetTimeMicros: BigInt(time) });
    expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: '{"n":2}' });
    expect(() => fixture.host.policies.run("daily", "BACKUP")).toThrow(/continuous/);
    await fixture.host.policies.setPaused("daily", true);
    expect(await statusOf(fixture)).toMatchObject({ state: "PAUSED" });
  });

  test("notices that its backups are gone", async () => {
    const fixture = await hostFixture();
    await fixture.host.policies.create(spec(fixture, { schedule: { kind: "continuous" } }));
    const backedUp = async (body: object) => {
      const time = await fixture.put("a", body);
      await eventually(async () => {
        const { progress, uris } = await statusOf(fixture);
        return (progress.destinations[uris[0] ?? ""]?.windowToMicros ?? 0) >= time;
      });
      return (await statusOf(fixture)).problems.map(({ kind }) => kind);
    };
    expect(await backedUp({ n: 1 })).toEqual([]);
    renameSync(join(fixture.root, "primary"), join(fixture.root, "moved"));
    expect(await backedUp({ n: 2 })).toEqual(["gone"]);
    await run(fixture, "VERIFY");
    expect(await backedUp({ n: 3 })).toEqual([]);
  });

  test("acknowledges a write when it is copied, and refuses writes while it cannot be", async () => {
    const fixture = await hostFixture({
      platform: {
        ...systemPlatform,
        autoBackup: { retryMs: 50, retryMaxMs: 50 },
        lease: { expiryMs: 300, heartbeatMs: 50 },
      },
    });
    await fixture.host.policies.create(continuous(fixture, { acknowledge: "COPIED" }));
    const time = await fixture.put("a", { n: 1 });
    const { progress } = await statusOf(fixture);
    expect(progress.destinations[fixture.uri("primary")]?.positionMicros).toBeGreaterThanOrEqual(
      time,
    );
    renameSync(join(fixture.root, "primary"), join(fixture.root, "away"));
    writeFileSync(join(fixture.root, "primary"), "not a directory");
    await expect(fixture.put("b", { n: 2 })).rejects.toMatchObject({ reason: "NOT_COPIED" });
    // Refused before it is written.
    await expect(fixture.put("c", { n: 3 })).rejects.toMatchObject({ reason: "NOT_COPIED" });
    const { problems, degraded } = await statusOf(fixture);
    expect(problems.map(({ kind }) => kind)).toEqual(["failing", "degraded"]);
    expect(problems[1]?.message).toMatch(/^Writes are refused/);
    expect(degraded).toBe(false);
    rmSync(join(fixture.root, "primary"));
    renameSync(join(fixture.root, "away"), join(fixture.root, "primary"));
    await eventually(() => fixture.put("d", { n: 4 }).catch(() => undefined));
    expect(Object.keys(await fixture.contents())).toEqual(expect.arrayContaining(["a", "d"]));
    expect(Object.keys(await fixture.contents())).not.toContain("c");
    // The history keeps the outage.
    const outages = await eventually(async () => {
      const { runs } = await fixture.host.policies.runs("daily", 10);
      return runs.length > 0 ? runs : undefined;
    });
    expect(outages).toHaveLength(1);
    expect(outages[0]).toMatchObject({ kind: "BACKUP", reason: "CONTINUOUS", state: "FAILED" });
    expect(outages[0]?.endTimeMicros).toBeGreaterThan(outages[0]?.startTimeMicros ?? Infinity);
    expect(outages[0]?.steps[0]?.error?.message).toContain("primary");
  });

  test("acknowledges no write that is not copied when it is changed or paused meanwhile", async () => {
    const store = new MemoryStore();
    let gate: Promise<void> | undefined;
    /** A store that hangs while the gate is closed. */
    const hanging = (bucket: string) =>
      new Proxy<Destination>(new MemoryDestination(store, bucket), {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (name !== "put")
            return typeof member === "function" ? (member.bind(target) as unknown) : member;
          return async (...args: Parameters<Destination["put"]>) => {
            await gate;
            return target.put(...args);
          };
        },
      });
    const closeGate = () => {
      let open = () => {};
      gate = new Promise<void>((resolve) => (open = resolve));
      return () => {
        gate = undefined;
        open();
      };
    };
    const fixture = await hostFixture({ destinations: { memory: new MemoryScheme(hanging) } });
    const policy = continuous(fixture, { destination: "memory:live", acknowledge: "COPIED" });
    await fixture.host.policies.create(policy);
    await fixture.put("a", { n: 1 });
    const changes = [
      () => fixture.host.policies.update({ ...policy, maxAgeMs: 3_600_000 }),
      () => fixture.host.policies.setPaused("daily", true),
    ];
    for (const [round, change] of changes.entries()) {
      const openGate = closeGate();
      const acknowledged: string[] = [];
      const write = (name: string) =>
        fixture.put(name, { round }).then(() => acknowledged.push(name));
      const before = write(`before${round}`);
      await sleep(700);
      const changed = change();
      await sleep(100);
      // A write during the change, while the earlier backups end.
      const during = write(`during${round}`);
      await sleep(700);
      expect(acknowledged).toEqual([]);
      openGate();
      await Promise.all([before, during, changed]);
    }
    const { progress } = await statusOf(fixture);
    expect(progress.destinations["memory:live"]?.positionMicros).toBeGreaterThan(0);
    await fixture.put("after the pause", {});
  });

  test("degrades to asynchronous copies if the policy says so", async () => {
    const fixture = await hostFixture({
      platform: {
        ...systemPlatform,
        autoBackup: { retryMs: 50, retryMaxMs: 50 },
        lease: { expiryMs: 300, heartbeatMs: 50 },
      },
    });
    mkdirSync(join(fixture.root, "primary"));
    await fixture.host.policies.create(
      continuous(fixture, { acknowledge: "COPIED", whenUnreachable: "DEGRADE" }),
    );
    renameSync(join(fixture.root, "primary"), join(fixture.root, "away"));
    writeFileSync(join(fixture.root, "primary"), "not a directory");
    await fixture.put("a", { n: 1 });
    expect(await statusOf(fixture)).toMatchObject({ degraded: true });
    rmSync(join(fixture.root, "primary"));
    await eventually(async () => !(await statusOf(fixture)).degraded);
  });
});
