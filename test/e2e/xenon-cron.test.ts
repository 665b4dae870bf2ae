import { readFileSync, readdirSync } from "node:fs";
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools, run } from "../support/tools.js";

// Every comparison starts a host, which takes time on a busy machine.
jest.setTimeout(180_000);

const script = resolve("test/e2e/xenon-cron.sh");
const able = haveTools("the backup job of a shell script", "sh", "curl", "comm");

/** The job of a host, with its directory of backups and its upload destination. */
function jobOf(fixture: HostFixture, more: NodeJS.ProcessEnv = {}) {
  const root = temporaryDirectory();
  const paths = {
    BACKUP_DIR: join(root, "backup"),
    UPLOAD_DIR: join(root, "upload"),
    WORK_DIR: join(root, "work"),
  };
  /** Digests of the uploaded files by name: a file may appear or disappear, but never change. */
  const uploaded = new Map<string, string>();

  async function call(
    verb: "daily" | "incremental" | "restore",
    target: HostFixture,
  ): Promise<string[]> {
    const { host, port } = target.host.httpAddress;
    const { code, stdout, stderr } = await run("sh", [script, verb], {
      env: { ...process.env, ...paths, ...more, HOST: `http://${host}:${port}` },
    });
    expect({ code, stderr, stdout: code === 0 ? "" : stdout }).toEqual({
      code: 0,
      stderr: "",
      stdout: "",
    });
    return [...stdout.matchAll(/^uploaded (.*)$/gm)].map(([, name]) => name ?? "");
  }

  return {
    paths,
    /** Runs the job, restores the uploads into another host and compares; returns the uploaded names. */
    async backUp(verb: "daily" | "incremental"): Promise<string[]> {
      const names = await call(verb, fixture);
      for (const name of readdirSync(paths.UPLOAD_DIR)) {
        const digest = createHash("sha256")
          .update(readFileSync(join(paths.UPLOAD_DIR, name)))
          .digest("hex");
        const here = uploaded.get(name);
        if (here !== undefined) expect({ name, digest }).toEqual({ name, digest: here });
        uploaded.set(name, digest);
      }
      // The uploaded names alone contain all that the newest backup needs.
      for (const name of readdirSync(paths.BACKUP_DIR)) expect(uploaded.has(name)).toBe(true);
      const other = await hostFixture();
      await call("restore", other);
      expect(await other.contents()).toEqual(await fixture.contents());
      await other.stop();
      return names;
    },
    restore: (target: HostFixture = fixture) => call("restore", target),
  };
}

const kindsOf = (names: string[]) =>
  names.filter((name) => !name.endsWith(".sig")).map((name) => name.split("-")[0]);
/** A few minutes of typical use: creates, replaces and deletes. */
async function use(fixture: HostFixture, minute: number): Promise<void> {
  for (let i = 0; i < 5; i += 1) await fixture.put(`minute-${minute}-${i}`, { minute, i });
  await fixture.put("busy", { minute });
  await fixture.host.documents.delete(`${factoryPath}/minute-${minute}-0`);
}
async function load(fixture: HostFixture): Promise<void> {
  for (let i = 0; i < 200; i += 1) await fixture.put(`old-${i}`, { i, text: "x".repeat(3000) });
}

(able ? describe : describe.skip)("a cron job that uploads new names", () => {
  test("two days of full and incremental backups are restored from the uploads", async () => {
    const fixture = await hostFixture();
    await load(fixture);
    const job = jobOf(fixture);
    for (let day = 0; day < 2; day += 1) {
      expect(kindsOf(await job.backUp("daily"))).toEqual(["base", "manifest"]);
      for (let minute = 1; minute <= 4; minute += 1) {
        await use(fixture, day * 10 + minute);
        expect(kindsOf(await job.backUp("incremental"))).toEqual(["delta", "manifest"]);
      }
      // Without writes the job uploads only its note.
      expect(kindsOf(await job.backUp("incremental"))).toEqual(["manifest"]);
    }
  });

  test("after a restore the next backup is a base of the new lineage, and existing uploads do not disturb it", async () => {
    const fixture = await hostFixture();
    await load(fixture);
    const job = jobOf(fixture);
    await job.backUp("daily");
    await use(fixture, 1);
    await job.backUp("incremental");
    const saved = await fixture.contents();
    await use(fixture, 2);
    await fixture.host.documents.delete(`${factoryPath}/old-7`);
    await job.restore();
    expect(await fixture.contents()).toEqual(saved);

    await use(fixture, 3);
    const names = await job.backUp("incremental");
    expect(kindsOf(names)).toEqual(["base", "manifest"]);
    expect(await fixture.contents()).not.toEqual(saved);
    await use(fixture, 4);
    expect(kindsOf(await job.backUp("incremental"))).toEqual(["delta", "manifest"]);
    // The chain of the old lineage remains listed beside the new one.
    const listed = await fixture.host.management.listBackups(`file:${job.paths.UPLOAD_DIR}`);
    expect(listed.every(({ state }) => state === "COMPLETE")).toBe(true);
    expect(new Set(listed.map(({ backup }) => backup?.lineage)).size).toBe(2);
    await job.restore();
    await use(fixture, 5);
    expect(kindsOf(await job.backUp("incremental"))).toEqual(["base", "manifest"]);
    expect(kindsOf(await job.backUp("daily"))).toEqual(["base", "manifest"]);
  });

  test("restores the newest backup from uploads that are never cleared, although the numbers restart", async () => {
    const fixture = await hostFixture();
    await load(fixture);
    const job = jobOf(fixture, { KEEP_UPLOADS: "yes" });
    await job.backUp("daily");
    for (let minute = 1; minute <= 3; minute += 1) {
      await use(fixture, minute);
      await job.backUp("incremental");
    }
    await use(fixture, 4);
    expect(kindsOf(await job.backUp("daily"))).toEqual(["base", "manifest"]);
    await use(fixture, 5);
    expect(kindsOf(await job.backUp("incremental"))).toEqual(["delta", "manifest"]);
    expect(
      readdirSync(job.paths.UPLOAD_DIR).filter((name) => /^manifest-.*\.json$/.test(name)),
    ).toHaveLength(6);
  });

  test("a host restored from the destination can back up to the same destination", async () => {
    const first = await hostFixture();
    await load(first);
    const job = jobOf(first);
    await job.backUp("daily");
    const second = await hostFixture();
    await job.restore(second);
    await use(second, 1);
    // The second host continues the job; its index and lineage differ, so it starts with a new base.
    const taken = { ...job.paths };
    const destination = `file:${taken.BACKUP_DIR}`;
    await second.backup("", { destination });
    await use(first, 2);
    await job.backUp("incremental");
    expect(await first.contents()).not.toEqual(await second.contents());
  });

  test("reports a failed job", async () => {
    const fixture = await hostFixture();
    const { host, port } = fixture.host.httpAddress;
    const root = temporaryDirectory();
    const env = {
      ...process.env,
      BACKUP_DIR: join(root, "b"),
      UPLOAD_DIR: join(root, "u"),
      WORK_DIR: join(root, "w"),
      HOST: `http://${host}:${port}`,
    };
    const { code, stdout } = await run("sh", [script, "restore"], { env });
    expect(code).not.toBe(0);
    expect(stdout).toContain("There is no backup at");
  });
});
