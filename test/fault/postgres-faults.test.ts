import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import {
  havePooler,
  havePostgres,
  startPooler,
  startPostgres,
  type PostgresServer,
} from "../support/postgres-server.js";
import { beforeRemoval, temporaryDirectory } from "../support/temporary-directory.js";

/** When a connection is cut: before the server receives a commit, or after it may have executed it. */
type Cut = "before" | "after" | undefined;

/** Forwards connections to a server, and cuts them at commits. */
async function startProxy(port: number) {
  const sockets = new Set<Socket>();
  const proxy = {
    cut: undefined as Cut,
    /** Number of commits until the cut. */
    after: 0,
    /** Only commits on connections that sent this text are cut. */
    following: "",
    /** Whether connections are refused, now and from the next cut on. */
    away: false,
    awayAfterCut: false,
    cuts: 0,
    port: 0,
  };
  const server = createServer((client) => {
    if (proxy.away) return void client.destroy();
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let isCut = false;
    let follows = false;
    client.on("data", (bytes: Buffer) => {
      if (isCut) return;
      follows ||= proxy.following !== "" && bytes.includes(proxy.following);
      const isMeant = follows || proxy.following === "";
      if (
        proxy.cut !== undefined &&
        isMeant &&
        bytes.includes("COMMIT\0") &&
        (proxy.after -= 1) < 0
      ) {
        isCut = true;
        proxy.cuts += 1;
        proxy.away = proxy.awayAfterCut;
        if (proxy.cut === "after") upstream.write(bytes);
        proxy.cut = undefined;
        // What was written still reaches the server, whose answer reaches nobody.
        upstream.removeAllListeners("data");
        setTimeout(() => client.destroy(), 1);
        return;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (!isCut) client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.port = (server.address() as AddressInfo).port;
  beforeRemoval(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return proxy;
}

(havePostgres ? describe : describe.skip)("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });

  test.each(["before", "after"] as const)(
    "a connection that is cut %s a commit is executed loses no write and repeats none",
    async (cut) => {
      const proxy = await startProxy(server.port);
      const url = server.url.replace(String(server.port), String(proxy.port));
      const fixture = await hostFixture({ postgres: { url, schema: `cut_${cut}` } });
      const writers = 8;
      const acknowledged = new Map<string, number>();
      for (let writer = 0; writer < writers; writer += 1) await fixture.put(`w${writer}`, {});
      for (let round = 0; round < 25; round += 1) {
        proxy.after = round % 3;
        proxy.cut = cut;
        await Promise.all(
          Array.from({ length: writers }, async (_, writer) => {
            for (let n = 0; n < 4; n += 1) {
              const { version } = await fixture.host.documents.replace(
                `/things/w${writer}`,
                JSON.stringify({ round, n }),
              );
              // Each write makes exactly one version: one that was repeated would make two.
              expect(version).toBe((acknowledged.get(`w${writer}`) ?? 0) + 1);
              acknowledged.set(`w${writer}`, version);
            }
          }),
        );
      }
      expect(proxy.cuts).toBeGreaterThan(20);
      await fixture.restart();
      for (const [name, version] of acknowledged)
        expect((await fixture.host.documents.get(`/things/${name}`)).version).toBe(version);
      const check = fixture.host.management.checkIndex("/core/document-index");
      expect(await fixture.finish(check)).toMatchObject({ versions: writers * 101 });
    },
    120_000,
  );

  describe("a connection that is cut at the switch of a restore", () => {
    const restoring = async (cut: Cut, schema: string) => {
      const proxy = await startProxy(server.port);
      const url = server.url.replace(String(server.port), String(proxy.port));
      const fixture = await hostFixture({ postgres: { url, schema } });
      await fixture.put("x", { n: 1 });
      await fixture.backup("dir");
      await fixture.put("x", { n: 2 });
      Object.assign(proxy, { following: "SET previous = live", cut });
      return { proxy, fixture };
    };

    test("after it is executed: the restore succeeds, once", async () => {
      const { proxy, fixture } = await restoring("after", "switched");
      await fixture.restore("dir");
      expect(proxy.cuts).toBe(1);
      expect(await fixture.contents()).toEqual({ x: '{"n":1}' });
      await fixture.put("y", {});
      await fixture.finish(
        fixture.host.management.undoRestore({ indexLink: "/core/document-index" }),
      );
      expect(await fixture.contents()).toEqual({ x: '{"n":2}' });
    });

    test("before it is executed: the restore fails, and writes go on", async () => {
      const { proxy, fixture } = await restoring("before", "unswitched");
      await expect(fixture.restore("dir")).rejects.toMatchObject({
        reason: "DATABASE_UNAVAILABLE",
      });
      expect(proxy.cuts).toBe(1);
      expect(await fixture.contents()).toEqual({ x: '{"n":2}' });
      await fixture.put("x", { n: 3 });
      await fixture.restore("dir");
      expect(await fixture.contents()).toEqual({ x: '{"n":1}' });
    });

    test("while the database stays away: the outcome is unknown, and writes go on when it is back", async () => {
      const { proxy, fixture } = await restoring("after", "unknown");
      proxy.awayAfterCut = true;
      await expect(fixture.restore("dir")).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
      proxy.away = false;
      await eventually(() =>
        fixture.put("y", {}).then(
          () => true,
          () => false,
        ),
      );
      expect(await fixture.contents()).toEqual({ x: '{"n":1}', y: "{}" });
    }, 90_000);
  });

  test("a server that is killed under load loses no acknowledged write", async () => {
    const fixture = await hostFixture({ postgres: { url: server.url, schema: "killed" } });
    const acknowledged = new Map<string, number>();
    let stop = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let n = 0; !stop; n += 1) {
          const name = `w${writer}-${n}`;
          // A write of which the outcome is not known may be there or not.
          const time = await fixture.put(name, { n }).catch(() => undefined);
          if (time !== undefined) acknowledged.set(name, time);
        }
      }),
    );
    for (let kill = 0; kill < 3; kill += 1) {
      await sleep(700);
      await server.kill();
      await server.start();
    }
    await sleep(1500);
    stop = true;
    await load;
    expect(acknowledged.size).toBeGreaterThan(100);
    for (const [name, time] of acknowledged)
      expect((await fixture.host.documents.get(`/things/${name}`)).updateTimeMicros).toBe(time);
    await fixture.finish(fixture.host.management.checkIndex("/core/document-index"));
  }, 120_000);

  test.each(["40001", "40P01"])(
    "a transaction that fails with %s is repeated, and each write is stored once",
    async (code) => {
      const schema = `conflict_${code.toLowerCase()}`;
      const fixture = await hostFixture({ postgres: { url: server.url, schema } });
      await fixture.put("x", { n: -1 });
      server.query(`CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF random() < 0.3 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '${code}'; END IF; RETURN NEW; END $$`);
      server.query(
        `CREATE TRIGGER fail BEFORE INSERT ON ${schema}.log_1 FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.fail()`,
      );
      for (let n = 0; n < 40; n += 1) {
        await fixture.put("x", { n });
        expect((await fixture.host.documents.get("/things/x")).version).toBe(n + 1);
      }
      await fixture.finish(fixture.host.management.checkIndex("/core/document-index"));
    },
    60_000,
  );

  (havePooler ? test : test.skip)(
    "two hosts behind PgBouncer in transaction mode write, query, back up and restore",
    async () => {
      const url = await startPooler(server);
      const [a, b] = [
        await hostFixture({ postgres: { url, schema: "pooled" }, id: "a" }, temporaryDirectory()),
        await hostFixture({ postgres: { url, schema: "pooled" }, id: "b" }, temporaryDirectory()),
      ];
      // Another deployment uses the same sessions.
      const other = await hostFixture(
        { postgres: { url, schema: "pooled_too" }, id: "c" },
        temporaryDirectory(),
      );
      const write = (fixture: HostFixture, name: string) =>
        Promise.all(
          Array.from({ length: 8 }, async (_, writer) => {
            for (let n = 0; n < 20; n += 1) await fixture.put(`${name}-${writer}`, { n });
          }),
        );
      await Promise.all([write(a, "a"), write(b, "b"), write(other, "c")]);
      const contents = await a.contents();
      expect(Object.keys(contents)).toHaveLength(16);
      expect(new Set(Object.values(contents))).toEqual(new Set(['{"n":19}']));
      expect(await b.contents()).toEqual(contents);
      expect(Object.keys(await other.contents())).toHaveLength(8);
      expect(await b.host.documents.count("/things", "n eq 19", new AbortController().signal)).toBe(
        16,
      );
      await a.backup("dir");
      await b.put("a-0", { n: "wrong" });
      await a.restore("dir");
      expect(await b.contents()).toEqual(contents);
      await a.finish(a.host.management.checkIndex("/core/document-index"));
    },
    60_000,
  );
});
