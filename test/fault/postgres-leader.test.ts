import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { ask, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A leader that stands still, as a machine that is suspended, and goes on when another one leads. */

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
});
