import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A primary with a synchronous standby, and two hosts that know both. */

const link = (name: string) => `/things/${name}`;

async function pair(): Promise<{ primary: PostgresServer; standby: PostgresServer; url: string }> {
  const primary = await startPostgres({
    settings: [
      "synchronous_standby_names = '*'",
      "synchronous_commit = local",
      "wal_level = replica",
    ],
  });
  const standby = await startPostgres({ standbyOf: primary });
  await eventually(() => primary.query("SELECT sync_state FROM pg_stat_replication") === "sync");
  const url = `postgres://holdfast@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
  return { primary, standby, url };
}

/** Kills a standby, and waits until its primary has noticed. */
async function away(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  await standby.kill();
  await eventually(() => primary.query("SELECT count(*) FROM pg_stat_replication") === "0");
}

(havePostgres ? describe : describe.skip)("a primary with a synchronous standby", () => {
  test("loses no acknowledged write when it is killed and the standby takes over, for two hosts under load", async () => {
    const { primary, standby, url } = await pair();
    const hosts: HostFixture[] = [];
    for (const id of ["a", "b"])
      hosts.push(await hostFixture({ postgres: { url }, id }, temporaryDirectory()));
    const [a, b] = hosts as [HostFixture, HostFixture];
    const { engine } = await a.host.management.host();
    expect(engine.database?.status).toMatchObject({
      isSynchronous: true,
      standbys: [{ mode: "sync", state: "streaming" }],
    });
    const acknowledged = new Set<string>();
    let stop = false;
    const load = hosts.map(({ host }, of) =>
      Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
          for (let n = 0; !stop; n += 1) {
            const name = `h${of}-w${writer}-${n}`;
            const written = await host.documents
              .create("/things", JSON.stringify({ documentSelfLink: name, n }))
              .catch(() => undefined);
            if (written) acknowledged.add(link(name));
          }
        }),
      ),
    );
    await sleep(1500);
    await primary.kill();
    const before = acknowledged.size;
    standby.promote();
    // The new primary has no standby, for which commits would wait.
    standby.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    standby.query("SELECT pg_reload_conf()");
    await eventually(() => acknowledged.size > before + 100);
    stop = true;
    await Promise.all(load);
    expect(before).toBeGreaterThan(100);
    for (const { host } of hosts) {
      const found = new Set<string>();
      let pageToken: string | undefined;
      do {
        const page = await host.documents.list({
          factoryPath: "/things",
          expand: false,
          limit: 1000,
          ...(pageToken !== undefined && { pageToken }),
        });
        for (const one of page.documents) found.add(one.link);
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      expect([...acknowledged].filter((one) => !found.has(one))).toEqual([]);
    }
    // Backups go on, too.
    const leader = await eventually(async () =>
      hosts.find(({ host }) => {
        try {
          return host.operations.list(1);
        } catch {
          return false;
        }
      }),
    );
    await leader.finish(leader.host.management.checkIndex("/core/document-index"));
    expect([a, b]).toContain(leader);
  }, 120_000);

  test("uses one server alone when the old primary returns, which nobody fenced", async () => {
    const primary = await startPostgres();
    const standby = await startPostgres({ standbyOf: primary });
    await eventually(() => primary.query("SELECT count(*) FROM pg_stat_replication") === "1");
    // The old primary is the first address.
    const url = `postgres://holdfast@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
    const hosts = [];
    for (const id of ["a", "b"])
      hosts.push(await hostFixture({ postgres: { url }, id }, temporaryDirectory()));
    const [a, b] = hosts as [HostFixture, HostFixture];
    await a.put("before", {});
    await primary.kill();
    standby.promote();
    await a.put("after", {});
    await b.put("too", {});
    await primary.start();
    // Many connections, of all kinds, made anew.
    standby.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'",
    );
    for (let n = 0; n < 20; n += 1) {
      await Promise.all(hosts.map((host, of) => host.put(`h${of}-${n}`, { n })));
      for (const host of hosts) expect(Object.keys(await host.contents())).toHaveLength(5 + 2 * n);
    }
    // A new connection asks the old one first, and hangs up: only one that stays is in use.
    const unused = () =>
      eventually(
        () =>
          primary.query(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast'",
          ) === "0",
      );
    await unused();
    // A host that starts, and knows nothing, takes the newer one too.
    await b.restart();
    expect(Object.keys(await b.contents())).toHaveLength(43);
    // With the new primary away, the old one is no way out.
    await standby.kill();
    await expect(b.contents()).rejects.toMatchObject({
      reason: "DATABASE_UNAVAILABLE",
    });
    await unused();
    expect(primary.query("SELECT count(*) FROM holdfast.log_1")).toBe("1");
  }, 90_000);

  test("a write waits while no address is a primary, and is stored once", async () => {
    const { primary, standby, url } = await pair();
    const fixture = await hostFixture({ postgres: { url } });
    await fixture.put("x", { n: 1 });
    await primary.kill();
    const writing = Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        fixture.host.documents.create("/things", JSON.stringify({ documentSelfLink: `w${n}` })),
      ),
    );
    await sleep(2000);
    standby.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    standby.query("SELECT pg_reload_conf()");
    standby.promote();
    for (const { version } of await writing) expect(version).toBe(0);
  }, 60_000);

  test("a running host does not use a server whose fsync was turned off", async () => {
    const server = await startPostgres();
    const fixture = await hostFixture({ postgres: { url: server.url } });
    await fixture.put("x", { n: 1 });
    server.query("ALTER SYSTEM SET fsync = off");
    await server.kill();
    await server.start();
    await expect(fixture.put("y", {})).rejects.toMatchObject({
      reason: "CONFIGURATION_INVALID",
      message: expect.stringContaining("fsync is off") as unknown,
    });
    server.query("ALTER SYSTEM SET fsync = on");
    await server.kill();
    await server.start();
    await eventually(() =>
      fixture.put("y", {}).then(
        () => true,
        () => false,
      ),
    );
  }, 60_000);

  /** Ends what waits for the standby, as an administrator may. */
  const end = (primary: PostgresServer, how: "cancel" | "terminate") =>
    primary.query(
      `SELECT pg_${how}_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
    ) !== "";

  test("says that the outcome is unknown of a commit whose wait for the standby is cancelled", async () => {
    const { primary, standby, url } = await pair();
    const fixture = await hostFixture({ postgres: { url } });
    await fixture.put("x", { n: 1 });
    await away(primary, standby);
    let outcome: unknown;
    void fixture.host.documents
      .replace(link("x"), JSON.stringify({ n: 2 }))
      .catch((error: unknown) => error)
      .then((ended) => (outcome = ended));
    await eventually(() => end(primary, "cancel") && outcome !== undefined, { intervalMs: 100 });
    expect(outcome).toMatchObject({ reason: "OUTCOME_UNKNOWN", code: "UNKNOWN" });
    // It is on one machine, and may be read.
    expect(await fixture.contents()).toMatchObject({ x: '{"n":2}' });
  }, 60_000);

  test("does not acknowledge a commit whose connection is terminated before the standby has it", async () => {
    const { primary, standby, url } = await pair();
    const fixture = await hostFixture({ postgres: { url } });
    await fixture.put("x", { n: 1 });
    await away(primary, standby);
    let ended = false;
    const waiting = fixture.put("x", { n: 2 }).finally(() => (ended = true));
    await eventually(() => end(primary, "terminate"), { intervalMs: 50 });
    // It is committed on the primary, and the host has asked since.
    await sleep(2000);
    expect(primary.query("SELECT count(*) FROM holdfast.log_1")).toBe("2");
    expect(ended).toBe(false);
    await standby.start();
    await waiting;
    expect((await fixture.host.documents.get(link("x"))).version).toBe(1);
  }, 60_000);

  test("writes that no standby confirms are not acknowledged, and are stored once when it is back", async () => {
    const { primary, standby, url } = await pair();
    const fixture = await hostFixture({ postgres: { url } });
    await fixture.put("x", { n: 1 });
    await away(primary, standby);
    let ended = false;
    const waiting = fixture.put("y", { n: 2 }).finally(() => (ended = true));
    await sleep(2000);
    expect(ended).toBe(false);
    // The hosts still see each other.
    const { engine } = await fixture.host.management.host();
    expect(engine.database?.hosts).toMatchObject([{ isAlive: true, isLeader: true }]);
    await standby.start();
    await waiting;
    expect((await fixture.host.documents.get(link("y"))).version).toBe(0);
  }, 60_000);
});
