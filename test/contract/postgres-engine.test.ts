import { openPostgres } from "../../src/engine/registry.js";
import {
  contents,
  engineFixture,
  identity,
  post,
  prefix,
  type OpenStorageEngine,
} from "../support/engine-fixture.js";
import { long } from "../support/long.js";
import {
  havePostgres,
  postgresReleases,
  startPostgres,
  type PostgresServer,
} from "../support/postgres-server.js";
import { engineContract } from "./engine-suite.js";

/** All releases that are installed; in npm test, the oldest. */
const releases = long ? postgresReleases : postgresReleases.slice(0, 1);
let schemas = 0;
const signal = new AbortController().signal;

(havePostgres ? describe.each(releases) : describe.skip.each([0]))("PostgreSQL %s", (release) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ release });
  });
  const open: OpenStorageEngine = (options) =>
    openPostgres(options, {
      address: { url: server.url },
      schema: `test_${(schemas += 1)}`,
      hostId: "host-1",
      installation: "test",
      version: "1.0.0",
      ownClock: true,
      onBackgroundError: (error) => console.error(error),
    });
  engineContract(`PostgreSQL ${release}`, open);

  describe("a host whose lease another one has taken", () => {
    // As after it stood still: it believes that it leads until its next beat.
    const takeLease = () =>
      server.query(
        `UPDATE test_${schemas}.lease SET term = term + 1, holder = 'other', run = 'other', until = until + 3600000000`,
      );

    test("does not fence the index, and its writes go on", async () => {
      const { engine } = await engineFixture(open);
      takeLease();
      await expect(engine.fence()).rejects.toMatchObject({ reason: "LEADER_UNAVAILABLE" });
      engine.unfence();
      await engine.write(post("a"));
      expect(Object.keys(await contents(engine))).toEqual([`${prefix}a`]);
    });

    test("does not switch to a generation that it built under a fence of its own", async () => {
      const fixture = await engineFixture(open);
      const { engine, storage } = fixture;
      await engine.write(post("a"));
      const base = await fixture.exportSegment("base");
      await engine.write(post("b"));
      const { ref } = await storage.build({ segments: [base], identity, signal });
      const { lastTimeMicros } = await engine.fence();
      takeLease();
      await expect(storage.switchTo(ref, lastTimeMicros)).rejects.toMatchObject({
        reason: "INDEX_DAMAGED",
        message: expect.stringContaining("another host leads") as unknown,
      });
      engine.unfence();
      expect(Object.keys(await contents(engine))).toEqual([`${prefix}a`, `${prefix}b`]);
    });

    test("does not relabel a generation for an undo", async () => {
      const fixture = await engineFixture(open);
      await fixture.engine.write(post("a"));
      const base = await fixture.exportSegment("base");
      const next = { ...identity, lineage: "lineage-2" };
      const { ref } = await fixture.storage.build({ segments: [base], identity: next, signal });
      await fixture.switchTo(ref);
      const before = await fixture.storage.previous();
      takeLease();
      if (before === undefined) throw new Error("There is no generation before the switch.");
      await expect(
        fixture.storage.relabel(before.ref, { ...identity, lineage: "lineage-3" }),
      ).rejects.toMatchObject({ reason: "LEADER_UNAVAILABLE" });
      expect(await fixture.storage.previous()).toEqual(before);
    });
  });
});
