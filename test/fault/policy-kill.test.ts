import { execFile } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform, type FailpointName } from "../../src/io/platform.js";
import type { PolicySpec } from "../../src/policy/policy.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { unfinishedFiles } from "../support/unfinished-files.js";
import { strayFiles } from "../support/whole-backup.js";

const child = join(__dirname, "..", "support", "policy-crash-child.mjs");
const hourMicros = 3_600_000_000;
/** The clock of the host that is killed, and of the host after it: one planned time has passed. */
const aheadMicros = 7 * hourMicros;
const lease = { expiryMs: 300, heartbeatMs: 50 };
const platformAt = (offsetMicros: number) => ({
  ...systemPlatform,
  lease,
  nowMicros: () => Date.now() * 1000 + offsetMicros,
});
const destinations = ["primary", "copy"] as const;

/** Where the host is killed: at the nth time that a failpoint or a call of the file system is reached. */
type KillPoint = (
  | { failpoint: FailpointName }
  | { call: "create" | "rename" | "remove"; path: string; when?: "before" | "after" }
) & {
  nth?: number;
  /** From this point on, the progress of policies is not written. */
  progressStopsAt?: { failpoint: FailpointName; nth: number };
  /** Policy that the host removes. */
  removes?: string;
};

/** Starts the host with a run that is due. Resolves, when it was killed, to the names of acknowledged documents. */
function killAt(root: string, at: KillPoint): Promise<string[]> {
  const task = JSON.stringify({ dataDirectory: join(root, "data"), aheadMicros, at });
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [child, task],
      { timeout: 60_000, killSignal: "SIGTERM" },
      (error, stdout, stderr) =>
        error?.signal === "SIGKILL"
          ? resolve(stdout.split("\n").slice(0, -1))
          : reject(new Error(`The host was not killed: ${error?.signal} ${stdout}${stderr}`)),
    );
  });
}

const manifestsIn = (root: string, name: string) =>
  readdirSync(join(root, name)).filter((one) => /^manifest-.*\.json$/.test(one));
const manifestsAt = (root: string) => ({
  primary: manifestsIn(root, "primary"),
  copy: manifestsIn(root, "copy"),
});
const runsOf = async (fixture: HostFixture) =>
  (await fixture.host.policies.runs("daily", 100)).runs;

function spec(fixture: HostFixture, keepLast: number): PolicySpec {
  return {
    name: "daily",
    indexLink: "/core/document-index",
    destination: fixture.uri("primary"),
    recipients: [],
    schedule: { kind: "interval", everyMs: 6 * 3_600_000 },
    timeZone: "UTC",
    jitterMs: 0,
    retention: { keepLast },
    copies: [{ destination: fixture.uri("copy") }],
    webhooks: [],
    heartbeats: [],
    acknowledge: "LOCAL",
    whenUnreachable: "FAIL",
  };
}

interface Prepared {
  /** Of the host. */
  root: string;
  /** A copy of the root, because its policy backs up to this path. */
  saved: string;
}

const prepared = new Map<number, Prepared>();
/**
 * The directory of a stopped host, whose next run has a segment to write, two segments to copy, and with
 * keepLast 1 a backup to remove at each destination that needs a segment of its own.
 */
async function preparedHost(keepLast: number): Promise<string> {
  const known = prepared.get(keepLast);
  if (known !== undefined) {
    rmSync(known.root, { recursive: true });
    cpSync(known.saved, known.root, { recursive: true });
    return known.root;
  }
  const fixture = await hostFixture({ platform: platformAt(0) });
  await fixture.put("a", { n: 1 });
  await fixture.host.policies.create(spec(fixture, keepLast));
  fixture.host.policies.run("daily", "BACKUP");
  await eventually(async () => (await runsOf(fixture))[0]?.state === "SUCCEEDED");
  await fixture.put("b", { n: 2 });
  await fixture.backup("primary", { full: true });
  await fixture.put("c", { n: 3 });
  await fixture.stop();
  expect(manifestsIn(fixture.root, "primary")).toHaveLength(2);
  expect(manifestsIn(fixture.root, "copy")).toHaveLength(1);
  const { root } = fixture;
  const saved = join(temporaryDirectory(), "saved");
  cpSync(root, saved, { recursive: true });
  prepared.set(keepLast, { root, saved });
  return root;
}

/** Verifies all backups of a destination in full, and returns their names. */
async function verified(fixture: HostFixture, name: string): Promise<string[]> {
  const { management } = fixture.host;
  const listings = await management.listBackups(fixture.uri(name));
  expect(listings.map(({ state, problem }) => [state, problem])).toEqual(
    listings.map(() => ["COMPLETE", undefined]),
  );
  const depth = { level: "FULL" as const, samplePercent: 100 };
  await Promise.all(
    listings.map((listing) =>
      fixture.finish(management.verifyBackup(fixture.uri(name), listing.name, depth)),
    ),
  );
  return listings.map((listing) => listing.name).sort();
}

/** A restore has all documents; a live one is wrong before it. */
async function expectRestores(fixture: HostFixture, name: string): Promise<void> {
  const expected = await fixture.contents();
  await fixture.put("a", { wrong: 1 });
  await fixture.restore(name);
  expect(await fixture.contents()).toEqual(expected);
}

/** The point, the destination that is restored afterwards, and how many backups the rules keep. */
const cases: [string, KillPoint, "primary" | "copy", number][] = [
  ["before the segment is written", { failpoint: "backup:segment-staged" }, "primary", 1],
  ["before the manifest", { call: "rename", path: "/primary/manifest-[^/]+json$" }, "primary", 2],
  ["after the manifest", { failpoint: "backup:manifest-written" }, "primary", 2],
  [
    "between the backup and retention",
    { call: "create", path: "/primary/.holdfast-lease$", nth: 2 },
    "primary",
    1,
  ],
  [
    "in retention, between manifest and segment",
    { call: "remove", path: "/primary/manifest-[^/]+json$", when: "after", nth: 2 },
    "primary",
    1,
  ],
  ["between retention and copy", { call: "create", path: "/copy/.holdfast-lease$" }, "copy", 2],
  [
    "in the copy, before its manifest",
    { call: "rename", path: "/copy/manifest-[^/]+json$" },
    "copy",
    1,
  ],
  ["in the copy, after its manifest", { failpoint: "backup:manifest-written", nth: 2 }, "copy", 2],
  [
    "in retention of the copy, between manifest and segment",
    { call: "remove", path: "/copy/manifest-[^/]+json$", when: "after" },
    "copy",
    1,
  ],
  ["before its end is recorded", { call: "rename", path: "/policy-runs/daily.json$" }, "copy", 1],
];

test.each(cases)("a run killed %s is made up once", async (_point, at, restored, keepLast) => {
  const root = await preparedHost(keepLast);
  const before = manifestsAt(root);
  const acknowledged = await killAt(root, at);
  const killed = manifestsAt(root);
  const fixture = await hostFixture({ platform: platformAt(aheadMicros) }, root);
  const madeUp = await eventually(async () =>
    (await runsOf(fixture)).find(
      ({ reason, state }) => reason === "MISSED" && !/RUNNING|INTERRUPTED/.test(state),
    ),
  );
  expect(madeUp).toMatchObject({ state: "SUCCEEDED" });
  const documents = await fixture.contents();
  expect(documents).toMatchObject({ a: '{"n":1}', b: '{"n":2}', c: '{"n":3}' });
  for (const name of acknowledged)
    expect(documents[name]).toBe(JSON.stringify({ i: Number(name.slice("during-".length)) }));
  // The last write may be durable without its acknowledgement.
  expect(Object.keys(documents).length - acknowledged.length - 3).toBeLessThanOrEqual(1);

  const newest = madeUp.steps[0]?.backupName ?? "";
  const kept = await Promise.all(destinations.map((one) => verified(fixture, one)));
  for (const [i, one] of destinations.entries()) {
    // A copy catches up with what the killed run backed up.
    const copied = one === "copy" ? killed.primary : [];
    const all = [...new Set([...before[one], ...killed[one], ...copied, newest])].sort();
    expect(kept[i]).toEqual(all.slice(-keepLast));
    expect(await strayFiles(join(fixture.root, one))).toEqual([]);
  }
  expect(await unfinishedFiles(fixture.root)).toEqual([]);
  const { problems, progress, state } = await fixture.host.policies.get("daily");
  expect({ problems, state }).toEqual({ problems: [], state: "ACTIVE" });
  expect(progress.destinations[fixture.uri("copy")]).toMatchObject({ behindSinceMicros: 0 });
  await expectRestores(fixture, restored);
  expect((await runsOf(fixture)).map(({ reason, state: ended }) => [reason, ended])).toEqual([
    ["MISSED", "SUCCEEDED"],
    ["MISSED", "INTERRUPTED"],
    ["REQUESTED", "SUCCEEDED"],
  ]);
});

test("a run that is recorded, but not as the progress of its policy, is recorded once", async () => {
  const root = await preparedHost(1);
  await killAt(root, {
    call: "rename",
    path: "/policy-runs/daily.json$",
    when: "after",
    progressStopsAt: { failpoint: "backup:unused-removed", nth: 2 },
  });
  const fixture = await hostFixture({ platform: platformAt(aheadMicros) }, root);
  const settled = await eventually(async () => {
    const runs = await runsOf(fixture);
    return (await fixture.host.policies.get("daily")).state === "ACTIVE" && runs;
  });
  expect(new Set(settled.map(({ id }) => id)).size).toBe(settled.length);
  expect(settled.filter(({ state }) => state !== "SUCCEEDED")).toEqual([]);
});

test("a policy whose removal was killed leaves nothing to a new one of its name", async () => {
  const root = await preparedHost(1);
  await killAt(root, { call: "rename", path: "/policies.json$", when: "after", removes: "daily" });
  const fixture = await hostFixture({ platform: platformAt(aheadMicros) }, root);
  await expect(fixture.host.policies.get("daily")).rejects.toMatchObject({
    reason: "POLICY_NOT_FOUND",
  });
  const created = await fixture.host.policies.create(spec(fixture, 1));
  const { lastSuccessMicros, lastDueMs, destinations: known } = created.progress;
  expect({ lastSuccessMicros, lastDueMs, known }).toEqual({
    lastSuccessMicros: 0,
    lastDueMs: {},
    known: {},
  });
  expect(await runsOf(fixture)).toEqual([]);
});
