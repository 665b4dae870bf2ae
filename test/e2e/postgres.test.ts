import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { runToEnd, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A host whose durable index is in PostgreSQL. The engine's own rules are in test/contract/postgres-engine.test.ts. */

let server: PostgresServer;
let schemas = 0;
const postgres = () => ({ url: server.url, schema: `host_${(schemas += 1)}` });

(havePostgres ? describe : describe.skip)("a host on PostgreSQL", () => {
  beforeAll(async () => {
    server = await startPostgres();
  });

  /** All versions of some documents, oldest first. */
  const history = async ({ host }: HostFixture) => {
    const versions = await Promise.all(
      Array.from({ length: 7 }, (_, i) => host.documents.listVersions(`/things/d${i}`, 100)),
    );
    return versions.flat().sort((a, b) => a.updateTimeMicros - b.updateTimeMicros);
  };

  test("keeps documents over a restart, restores to a point in time, and undoes it", async () => {
    const fixture = await hostFixture({ postgres: postgres() });
    await fixture.put("a", { n: 1 });
    const time = await fixture.put("b", { n: 2 });
    await fixture.put("a", { n: "wrong" });
    await fixture.backup("dir");
    await fixture.restart();
    expect(await fixture.contents()).toEqual({ a: '{"n":"wrong"}', b: '{"n":2}' });
    await fixture.restore("dir", { targetTimeMicros: BigInt(time) });
    expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: '{"n":2}' });
    await fixture.restart();
    expect(await fixture.contents()).toEqual({ a: '{"n":1}', b: '{"n":2}' });
    await fixture.finish(
      fixture.host.management.undoRestore({ indexLink: "/core/document-index" }),
    );
    expect(await fixture.contents()).toEqual({ a: '{"n":"wrong"}', b: '{"n":2}' });
    await fixture.finish(fixture.host.management.checkIndex("/core/document-index"));
  });

  test.each([
    ["from SQLite to PostgreSQL", false],
    ["from PostgreSQL to SQLite", true],
  ])("moves a backup %s, version by version", async (_name, fromPostgres) => {
    const from = await hostFixture(fromPostgres ? { postgres: postgres() } : {});
    const to = await hostFixture(
      fromPostgres ? {} : { postgres: postgres() },
      temporaryDirectory(),
    );
    for (let i = 0; i < 30; i += 1)
      await from.put(`d${i % 7}`, { i, big: 9007199254740993n.toString(), text: 'é\u0000\n"' });
    await from.host.documents.delete("/things/d3");
    const expected = await history(from);
    await from.backup("dir");
    // An increment, too.
    await from.put("later", { more: true });
    await from.backup("dir");
    await to.finish(
      to.host.management.restore({
        source: from.uri("dir"),
        indexLink: "/core/document-index",
        indexNamed: true,
      }),
    );
    const moved = await history(to);
    expect(moved).toEqual(expected);
    expect(await to.contents()).toEqual(await from.contents());
    await to.put("d1", { after: true });
    expect(await to.contents()).toMatchObject({ d1: '{"after":true}', later: '{"more":true}' });
  });

  test("answers 503 while the database is away, recovers by itself, and loses nothing", async () => {
    const fixture = await hostFixture({ postgres: postgres() });
    await fixture.put("a", { n: 1 });
    await server.kill();
    await expect(fixture.host.documents.get("/things/a")).rejects.toMatchObject({
      reason: "DATABASE_UNAVAILABLE",
      code: "UNAVAILABLE",
      metadata: { retryAfterSeconds: "1" },
    });
    // A write waits for the database, and is stored once.
    const waiting = fixture.put("b", { n: 2 }).catch((error: unknown) => error);
    await server.start();
    await eventually(async () =>
      fixture.host.documents.get("/things/a").then(
        () => true,
        () => false,
      ),
    );
    const outcome = await waiting;
    await fixture.put("c", { n: 3 });
    const { a, b, c } = await fixture.contents();
    expect([a, c]).toEqual(['{"n":1}', '{"n":3}']);
    if (typeof outcome === "number") expect(b).toBe('{"n":2}');
  });

  test("config check refuses what serve would: no right to create the schema, another encoding, a malformed URL", async () => {
    server.query("CREATE ROLE guest LOGIN");
    server.query(
      "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    const check = async (url: string) => {
      const flags = ["--engine", "postgres", "--data-dir", join(temporaryDirectory(), "data")];
      const checked = await runToEnd(["config", "check", ...flags], {
        env: { HOLDFAST_POSTGRES_URL: url },
      });
      expect(checked.code).toBe(78);
      expect(checked.output + checked.log).not.toContain("S3cr3t");
      return checked.log;
    };
    const at = `127.0.0.1:${server.port}`;
    expect(await check(`postgres://guest@${at}/postgres`)).toMatch(/guest may not create/);
    expect(await check(`postgres://holdfast@${at}/latin`)).toMatch(/its encoding is LATIN1/);
    expect(await check(`postgres://holdfast:123/S3cr3t@${at}/postgres`)).toMatch(/percent-encoded/);
    expect(await check(`postgres://holdfast@${at}/none`)).toMatch(/"none" does not exist. Create/);
    expect(await check(`postgres://holdfast@${at}/postgres?sslmode=require`)).toMatch(/no TLS/);
    // In a schema of its own, it needs no right to create others.
    server.query("CREATE SCHEMA own AUTHORIZATION guest");
    const url = `postgres://guest@${at}/postgres`;
    const fixture = await hostFixture({ postgres: { url, schema: "own" } });
    await fixture.put("a", {});
  }, 60_000);

  test("says what it knows while its database is away", async () => {
    const own = await startPostgres();
    const data = join(temporaryDirectory(), "data");
    const host = await serve([
      ...["--engine", "postgres", "--postgres-url", own.url, "--data-dir", data],
    ]);
    const status = () => runToEnd(["status"], { env: { HOLDFAST_ADDRESS: host.grpc } });
    expect((await status()).code).toBe(0);
    await own.kill();
    const away = await status();
    expect(away).toMatchObject({ code: 69, log: "" });
    expect(away.output).toMatch(/database +postgres .*, NOT REACHABLE/);
    await own.start();
    await eventually(async () => (await status()).code === 0, { timeoutMs: 30_000 });
    await host.stop();
  }, 90_000);

  test("is served by the command, which shows no password and refuses what cannot be trusted", async () => {
    const root = temporaryDirectory();
    const url = server.url.replace("holdfast@", "holdfast:hunter2@");
    const flags = ["--engine", "postgres", "--data-dir", join(root, "data")];
    const env = { HOLDFAST_POSTGRES_URL: url, HOLDFAST_POSTGRES_SCHEMA: "command" };
    const checked = await runToEnd(["config", "check", ...flags], { env });
    expect({ code: checked.code, log: checked.log }).toEqual({ code: 0, log: "" });
    expect(checked.output).toContain(`postgres://127.0.0.1:${server.port}/postgres`);
    const host = await serve([...flags, "--postgres-url", url, "--postgres-schema", "command"]);
    const put = await runToEnd(["documents", "put", "/core/examples/ada", '{"name":"Ada"}'], {
      env: { HOLDFAST_ADDRESS: host.grpc },
    });
    expect(put.code).toBe(0);
    expect(await host.stop()).toBe(0);
    const standby = await runToEnd(
      ["config", "check", ...flags, "--postgres-url", "postgres://x:hunter2@127.0.0.1:1/db"],
      {},
    );
    expect(standby.code).toBe(69);
    expect([checked.output, checked.log, standby.output, standby.log].join()).not.toContain(
      "hunter2",
    );
    expect((await runToEnd(["config", "check", "--engine", "postgres"], {})).code).toBe(78);
    for (const setting of ["fsync", "full_page_writes"]) {
      const alter = (value: string) => {
        const psql = (sql: string) =>
          execFileSync("psql", ["-q", server.url, "-c", sql], { encoding: "utf8" });
        psql(`ALTER SYSTEM SET ${setting} = ${value}`);
        psql("SELECT pg_reload_conf()");
      };
      alter("off");
      const refused = await eventually(async () => {
        const ended = await runToEnd(["config", "check", ...flags], { env });
        return ended.code === 78 ? ended : undefined;
      });
      expect(refused.log).toContain(`${setting} is off`);
      alter("on");
    }
  }, 120_000);
});
