import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { ask, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A leader that stands still, as a machine that is suspended, and goes on when another one leads. */

const leads = ({ host }: HostFixture) => {
  try {
    return host.operations.list(1) !== undefined;
  } catch {
    return false;
  }
};

(havePostgres ? describe : describe.skip)("a leader that stood still", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });

  test("changes nothing any more, follows, and may lead again", async () => {
    const start = (id: string) =>
      serve([
        ...["--engine", "postgres", "--postgres-url", server.url],
        ...["--data-dir", temporaryDirectory(), "--id", id],
      ]);
    const [a, b] = [await start("a"), await start("b")];
    const backups = temporaryDirectory();
    const policy = (name: string) => ({
      name,
      destination: `file://${join(backups, name)}`,
      schedule: { interval: "1h" },
    });
    const create = (url: string, name: string) => ask(`${url}/v1/policies`, "POST", policy(name));
    const names = async (url: string) => {
      const { status, body } = await ask(`${url}/v1/policies`);
      if (status !== 200) return undefined;
      return (body["policies"] as { name: string }[]).map(({ name }) => name).sort();
    };
    expect((await create(a.url, "first")).status).toBe(200);
    a.process.kill("SIGSTOP");
    // Requests that were forwarded to it fail, those of now are answered by the new leader.
    await eventually(async () => (await names(b.url)) !== undefined, { timeoutMs: 30_000 });
    expect(await names(b.url)).toEqual(["automatic", "first"]);
    expect((await create(b.url, "second")).status).toBe(200);
    a.process.kill("SIGCONT");
    // It believes that it leads until it looks; what it acknowledges is there.
    const expected = ["automatic", "first", "second"];
    for (let n = 0; n < 20; n += 1) {
      const { status } = await create(a.url, `late-${n}`);
      if (status === 200) expected.push(`late-${n}`);
      else expect(status).toBe(503);
    }
    await eventually(async () => (await names(a.url))?.includes("second"));
    expect(await names(a.url)).toEqual(expected.sort());
    expect(await names(b.url)).toEqual(expected);
    // The log is one: both write, and both see all.
    for (const [host, name] of [
      [a, "of-a"],
      [b, "of-b"],
    ] as const)
      expect(
        (await ask(`${host.url}/core/examples`, "POST", { documentSelfLink: name, name })).status,
      ).toBe(200);
    expect((await ask(`${a.url}/core/examples`)).body["documentLinks"]).toHaveLength(2);
    await b.stop();
    await eventually(async () => (await create(a.url, "again")).status === 200);
    expect(await names(a.url)).toEqual([...expected, "again"].sort());
  }, 120_000);

  test("ends its lead by its own clock while the database is away, and leads again", async () => {
    const own = await startPostgres();
    const fixture = await hostFixture({ postgres: { url: own.url } });
    await fixture.backup("dir");
    await own.kill();
    await eventually(() => !leads(fixture));
    await own.start();
    await eventually(() => leads(fixture), { timeoutMs: 30_000 });
    expect(fixture.host.operations.list(10).operations).toHaveLength(1);
    await fixture.put("x", {});
    await fixture.backup("dir");
  }, 90_000);

  test("a host that cannot do the work of the leader leaves it to another one", async () => {
    const postgres = { url: server.url, schema: "unable" };
    const first = await hostFixture({ postgres, id: "first" }, temporaryDirectory());
    const root = temporaryDirectory();
    // Its automatic backups would be among the files that it removes.
    const unable = await hostFixture(
      {
        postgres,
        id: "unable",
        autoBackupDestination: join(root, "data", "temporary", "mine"),
      },
      root,
    );
    const able = await hostFixture({ postgres, id: "able" }, temporaryDirectory());
    await able.stop();
    await first.stop();
    // It takes the lead, and fails.
    await sleep(5000);
    expect(leads(unable)).toBe(false);
    await able.restart();
    await eventually(() => leads(able), { timeoutMs: 30_000 });
    await able.put("x", {});
    expect(await unable.contents()).toEqual({ x: "{}" });
  }, 90_000);
});
