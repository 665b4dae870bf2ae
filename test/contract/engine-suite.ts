import {
  planActivity,
  type Activity,
  type ActivityBucket,
  type ActivityQuery,
} from "../../src/engine/activity.js";
import type { Engine } from "../../src/engine/engine.js";
import { limits } from "../../src/limits.js";
import { checkSegments } from "../../src/segment/checks.js";
import { digestFile } from "../../src/segment/segment-file.js";
import Database from "better-sqlite3";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  contents,
  engineFixture,
  identity,
  patch,
  post,
  prefix,
  remove,
  type OpenStorageEngine,
  type TestClock,
} from "../support/engine-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** The conformance suite of storage engines: the test file of an engine is one call of it. */
export function engineContract(name: string, openStorageEngine: OpenStorageEngine): void {
  describe(`${name}: writes`, () => {
    test("keeps acknowledged writes over a restart", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const written = await Promise.all(
        Array.from({ length: 500 }, (_, i) => fixture.engine.write(post(`d${i}`))),
      );
      const engine = await fixture.reopen();
      for (const version of written)
        expect(await engine.read(version?.link ?? "")).toEqual(version);
      const { indexId } = identity;
      expect(await engine.state()).toMatchObject({
        documents: 500,
        versions: 500,
        indexId,
        parents: [],
      });
    });

    test("keeps acknowledged writes beside sweeps and snapshots without a pause", async () => {
      const fixture = await engineFixture(openStorageEngine, {
        retainedVersions: 2,
        historyMicros: 3_600_000_000,
      });
      const { engine } = fixture;
      // More versions than are kept, and too young to be removed: a sweep finds nothing to do.
      await engine.write(post("old"));
      for (let n = 0; n < 5; n += 1) await engine.write(patch("old", { n }));
      const acknowledged: string[] = [];
      let stop = false;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let n = 0; !stop; n += 1) {
          await engine.write(post(`w${writer}-${n}`));
          acknowledged.push(`${prefix}w${writer}-${n}`);
        }
      });
      for (let round = 0; round < 60; round += 1) {
        const [, snapshot] = await Promise.all([engine.sweep(), engine.snapshot()]);
        await snapshot.release();
      }
      stop = true;
      await Promise.all(writers);
      const found = new Set(Object.keys(await contents(engine)));
      expect(acknowledged.filter((link) => !found.has(link))).toEqual([]);
      expect(await engine.state()).toMatchObject({ documents: acknowledged.length + 1 });
    });

    test("raises update times strictly, also when the clock stands still or goes back", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const times: number[] = [];
      for (const micros of [5_000_000, 5_000_000, 1_000, 4_000_000, 6_000_000]) {
        fixture.clock.micros = micros;
        times.push((await fixture.engine.write(post(`d${times.length}`)))?.updateTimeMicros ?? 0);
      }
      expect(times).toEqual([5_000_000, 5_000_001, 5_000_002, 5_000_003, 6_000_000]);
      fixture.clock.micros = 1;
      const engine = await fixture.reopen();
      expect((await engine.write(post("later")))?.updateTimeMicros).toBe(6_000_001);
    });

    test("gives writes after a snapshot later times than its window, also over a restart with a clock that went back", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await fixture.engine.write(post("a"));
      fixture.clock.micros = 2_000_000_000;
      const snapshot = await fixture.engine.snapshot();
      await snapshot.release();
      expect(snapshot.wallTimeMicros).toBe(2_000_000_000);
      fixture.clock.micros = 1;
      const engine = await fixture.reopen();
      expect((await engine.write(post("b")))?.updateTimeMicros).toBe(2_000_000_001);
    });

    test("refuses existing, deleted and unknown links, and commits the other writes of the batch", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      const outcomes = await Promise.allSettled([
        engine.write(post("a")),
        engine.write(post("a")),
        engine.write(patch("missing", {})),
        engine.write(post("b")),
        engine.write(remove("b")),
        engine.write(post("b")),
        engine.write(patch("b", {})),
        engine.write(remove("b")),
        engine.write(post("b", { back: 1 }, { revive: true })),
      ]);
      const results = outcomes.map((one) =>
        one.status === "fulfilled"
          ? (one.value?.version ?? "nothing")
          : (one.reason as { reason: string }).reason,
      );
      expect(results).toEqual([
        0,
        "DOCUMENT_EXISTS",
        "DOCUMENT_NOT_FOUND",
        0,
        1,
        "DOCUMENT_MARKED_DELETED",
        "DOCUMENT_DELETED",
        "nothing",
        2,
      ]);
      expect(await engine.state()).toMatchObject({ documents: 2, versions: 4 });
    });

    test("refuses a conditional write unless the version matches", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await engine.write(post("a"));
      const races = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) =>
          engine.write(patch("a", { i }, { expectedVersion: 0 })),
        ),
      );
      expect(races.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      await expect(engine.write(remove("a", { expectedVersion: 0 }))).rejects.toMatchObject({
        reason: "VERSION_MISMATCH",
        code: "ABORTED",
      });
      expect((await engine.read(`${prefix}a`))?.version).toBe(1);
    });

    test("merges concurrent patches of one document without losing any", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await engine.write(post("a", {}));
      await Promise.all(
        Array.from({ length: 300 }, (_, i) => engine.write(patch("a", { [`f${i}`]: i }))),
      );
      const document = await engine.read(`${prefix}a`);
      expect(document?.version).toBe(300);
      expect(Object.keys(JSON.parse(document?.body ?? "{}") as object)).toHaveLength(300);
    });

    test("returns bodies as the exact text, with integers beyond 2^53 and any character", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      const body =
        '{"n":9007199254740993,"big":123456789012345678901234567890,"f":1.10,"s":"ä\\u0000\\n😀"}';
      await engine.write(post("a", body));
      expect((await engine.read(`${prefix}a`))?.body).toBe(body);
    });
  });

  describe(`${name}: reads`, () => {
    test("reads any version, the state at a point in time, and versions newest first", async () => {
      const { engine, clock } = await engineFixture(openStorageEngine);
      for (let i = 0; i < 5; i += 1) {
        clock.micros = 2_000_000_000 + i * 10;
        await engine.write(i === 0 ? post("a", { i }) : patch("a", { i }));
      }
      const link = `${prefix}a`;
      expect((await engine.read(link, { version: 2 }))?.body).toBe('{"i":2}');
      expect(await engine.read(link, { version: 7 })).toBeUndefined();
      expect((await engine.read(link, { atMicros: 2_000_000_019 }))?.version).toBe(1);
      expect((await engine.read(link, { atMicros: 2_000_000_020 }))?.version).toBe(2);
      expect(await engine.read(link, { atMicros: 1_999_999_999 })).toBeUndefined();
      expect((await engine.versions(link, 2, 4)).map(({ version }) => version)).toEqual([3, 2]);
    });

    test.each([
      ["by link", {}],
      ["filtered", { filter: { op: "ge", field: "n", value: 0n } as const }],
      ["sorted", { orderBy: [{ field: "n", descending: true }] }],
    ])(
      "a listing %s returns each document of its first snapshot once, despite concurrent writes",
      async (_name, more) => {
        const { engine } = await engineFixture(openStorageEngine);
        await Promise.all(
          Array.from({ length: 250 }, (_, n) => engine.write(post(`d${n}`, { n }))),
        );
        await Promise.all(Array.from({ length: 50 }, (_, n) => engine.write(remove(`d${n * 5}`))));
        const seen: string[] = [];
        let cursor: string | undefined;
        let round = 0;
        do {
          const page = await engine.page({
            linkPrefix: prefix,
            limit: 30,
            expand: true,
            ...more,
            ...(cursor !== undefined && { cursor }),
          });
          seen.push(...page.documents.map(({ link, body }) => `${link} ${body}`));
          cursor = page.cursor;
          round += 1;
          await Promise.all(
            Array.from({ length: 200 }, (_, i) =>
              engine.write(patch(`d${i}`, { n: 1000 + round })).catch(() => undefined),
            ),
          );
          await engine.write(post(`new${round}`, { n: round }));
          await engine.write(remove(`d${round}`)).catch(() => undefined);
        } while (cursor !== undefined);
        const expected = Array.from({ length: 250 }, (_, n) => n)
          .filter((n) => n % 5 !== 0)
          .map((n) => `${prefix}d${n} {"n":${n}}`);
        expect([...seen].sort()).toEqual(expected.sort());
      },
    );

    test("lists by prefix, kind and filter, and counts the same documents", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await Promise.all(
        Array.from({ length: 60 }, (_, n) =>
          engine.write(
            post(`d${n}`, { n, tags: [n % 2 ? "odd" : "even"] }, { kind: n < 20 ? "one" : "two" }),
          ),
        ),
      );
      await engine.write({ ...post("x"), link: "/core/examples-not/x" });
      const links = async (more: object) =>
        (await engine.page({ linkPrefix: prefix, limit: 1000, expand: false, ...more })).documents
          .length;
      expect(await links({})).toBe(60);
      expect(await links({ kind: "one" })).toBe(20);
      const filter = {
        op: "and",
        terms: [
          { op: "lt", field: "n", value: 30n },
          { op: "any", field: "tags", values: ["odd"] },
        ],
      } as const;
      expect(await links({ filter: { ...filter, terms: [...filter.terms] } })).toBe(15);
      expect(
        await engine.count({ linkPrefix: prefix, filter: { op: "lt", field: "n", value: 30n } }),
      ).toBe(30);
      expect(await engine.count({ linkPrefix: prefix })).toBe(60);
    });

    test("lists the whole index without a prefix, and without bodies on request", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await engine.write(post("a", { n: 1 }));
      await engine.write({ ...post("x", { n: 1 }), link: "/other/x" });
      for (const more of [
        {},
        { filter: { op: "eq", field: "n", value: 1n } as const },
        { orderBy: [{ field: "n", descending: false }] },
      ]) {
        const page = await engine.page({ linkPrefix: "", limit: 10, expand: false, ...more });
        expect(page.documents.map(({ link, body }) => link + body).sort()).toEqual([
          `${prefix}a`,
          "/other/x",
        ]);
      }
      expect(await engine.count({ linkPrefix: "" })).toBe(2);
    });

    test("lists every version on request, those of deleted documents included, up to a point in time", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      const first = await engine.write(post("a", { n: 0 }));
      await engine.write(patch("a", { n: 1 }));
      await engine.write(post("b", { n: 0 }));
      await engine.write(remove("b"));
      const versions = async (more: object) => {
        const found: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await engine.page({
            linkPrefix: "",
            limit: 1,
            expand: true,
            allVersions: true,
            ...more,
            ...(cursor !== undefined && { cursor }),
          });
          found.push(
            ...page.documents.map(({ link, version }) => `${link.slice(prefix.length)}${version}`),
          );
          cursor = page.cursor;
        } while (cursor !== undefined);
        return found.sort();
      };
      expect(await versions({})).toEqual(["a0", "a1", "b0", "b1"]);
      expect(await versions({ orderBy: [{ field: "n", descending: true }] })).toEqual([
        "a0",
        "a1",
        "b0",
        "b1",
      ]);
      expect(await versions({ filter: { op: "eq", field: "n", value: 0n } })).toEqual([
        "a0",
        "b0",
        "b1",
      ]);
      expect(await versions({ atMicros: first?.updateTimeMicros })).toEqual(["a0"]);
      expect(await engine.count({ linkPrefix: "", allVersions: true })).toBe(4);
    });

    test("lists deleted documents on request, with a filter as well", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await engine.write(post("a", { n: 0 }));
      await engine.write(post("b", { n: 0 }));
      await engine.write(remove("b"));
      const filter = { op: "eq", field: "n", value: 0n } as const;
      for (const more of [{}, { filter }]) {
        const page = await engine.page({
          linkPrefix: "",
          limit: 10,
          expand: true,
          includeDeleted: true,
          ...more,
        });
        expect(page.documents.map(({ action }) => action)).toEqual(["POST", "DELETE"]);
        expect(await engine.count({ linkPrefix: "", includeDeleted: true, ...more })).toBe(2);
        expect(await engine.count({ linkPrefix: "", ...more })).toBe(1);
      }
    });

    test("ends a page before its bodies exceed the limit", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      const pad = "x".repeat(3 * 1024 * 1024);
      for (let i = 0; i < 5; i += 1) await engine.write(post(`d${i}`, { pad }));
      const page = await engine.page({ linkPrefix: prefix, limit: 100, expand: true });
      expect(page.documents.length).toBeLessThan(5);
      expect(page.cursor).toBeDefined();
      expect(Object.keys(await contents(engine))).toHaveLength(5);
    });

    test("rejects a cursor that no page returned", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      await expect(
        engine.page({ linkPrefix: prefix, limit: 1, expand: true, cursor: "nonsense" }),
      ).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    });
  });

  describe(`${name}: expiry and compaction`, () => {
    test("deletes all expired documents, and none whose expiry was extended", async () => {
      const { engine, clock } = await engineFixture(openStorageEngine);
      const expirationTimeMicros = clock.micros + 1000;
      await Promise.all(
        Array.from({ length: 1300 }, (_, i) =>
          engine.write(post(`d${i}`, {}, { expirationTimeMicros })),
        ),
      );
      await engine.write(patch("d7", {}, { expirationTimeMicros: clock.micros + 10_000 }));
      await engine.write(patch("d8", {}, { expirationTimeMicros: 0 }));
      expect(await engine.sweep()).toEqual({ expired: 0, compacted: 0, damaged: [] });
      clock.micros = expirationTimeMicros;
      let expired = 0;
      for (let i = 0; i < 10; i += 1) expired += (await engine.sweep()).expired;
      expect(expired).toBe(1298);
      expect(Object.keys(await contents(engine)).sort()).toEqual([`${prefix}d7`, `${prefix}d8`]);
      expect(await engine.read(`${prefix}d9`)).toMatchObject({ action: "DELETE", version: 1 });
      await engine.write(post("past", {}, { expirationTimeMicros: 5 }));
      expect((await engine.sweep()).expired).toBe(1);
    });

    test("compacts versions beyond count and history, and names the link that bounds the window", async () => {
      const fixture = await engineFixture(openStorageEngine, {
        retainedVersions: 3,
        historyMicros: 100,
      });
      const { engine, clock } = fixture;
      const times: number[] = [];
      for (let i = 0; i < 10; i += 1) {
        clock.micros += 10;
        times.push(
          (await engine.write(i === 0 ? post("a", { i }) : patch("a", { i })))?.updateTimeMicros ??
            0,
        );
      }
      await engine.write(post("b"));
      expect(await engine.sweep()).toEqual({ expired: 0, compacted: 0, damaged: [] });
      clock.micros = (times[4] ?? 0) + 100 + 1;
      expect((await engine.sweep()).compacted).toBe(5);
      expect((await engine.versions(`${prefix}a`, 100)).map(({ version }) => version)).toEqual([
        9, 8, 7, 6, 5,
      ]);
      const { window, versions, positionMicros } = await engine.state();
      expect(window).toMatchObject({
        earliestMicros: times[5],
        boundingLink: `${prefix}a`,
        historyStartMicros: times[0],
      });
      expect(versions).toBe(6);
      expect(positionMicros).toBeGreaterThan(times[9] ?? 0);
      clock.micros += 1_000_000;
      expect((await engine.sweep()).compacted).toBe(2);
      expect(await engine.sweep()).toEqual({ expired: 0, compacted: 0, damaged: [] });
      await fixture.reopen();
      expect(
        (await fixture.engine.versions(`${prefix}a`, 100)).map(({ version }) => version),
      ).toEqual([9, 8, 7]);
    });

    test("rejects points in time with compacted versions, and no others", async () => {
      const fixture = await engineFixture(openStorageEngine, { retainedVersions: 2 });
      const { engine, clock } = fixture;
      const write = async (i: number) => {
        clock.micros += 10;
        return (
          (await engine.write(i === 0 ? post("a", { i }) : patch("a", { i })))?.updateTimeMicros ??
          0
        );
      };
      const before = clock.micros;
      const times = [await write(0), await write(1)];
      const [first = 0, second = 0] = times;
      await engine.write(post("b"));
      const pinned = await engine.page({ linkPrefix: "", limit: 1, expand: true });
      for (let i = 2; i < 6; i += 1) times.push(await write(i));
      clock.micros += 1_000_000;
      expect((await engine.sweep()).compacted).toBe(4);
      const lost = {
        reason: "TARGET_TIME_OUT_OF_RANGE",
        metadata: { earliestMicros: String(times[4]), boundingLink: `${prefix}a` },
      };
      const listed = (atMicros: number, more = {}) =>
        engine.page({ linkPrefix: "", limit: 10, expand: true, atMicros, ...more });
      for (const more of [
        {},
        { filter: { op: "ge", field: "i", value: 0n } },
        { orderBy: [{ field: "i", descending: false }] },
      ]) {
        await expect(listed(second, more)).rejects.toMatchObject(lost);
        await expect(listed((times[4] ?? 0) - 1, more)).rejects.toMatchObject(lost);
      }
      await expect(engine.count({ linkPrefix: "", atMicros: first })).rejects.toMatchObject(lost);
      await expect(
        engine.page({ linkPrefix: "", limit: 1, expand: true, cursor: pinned.cursor ?? "" }),
      ).rejects.toMatchObject(lost);
      await expect(engine.read(`${prefix}a`, { atMicros: second })).rejects.toMatchObject(lost);
      expect((await engine.read(`${prefix}b`, { atMicros: times[2] ?? 0 }))?.version).toBe(0);
      expect(await engine.read(`${prefix}a`, { atMicros: before })).toBeUndefined();
      expect((await listed(before)).documents).toEqual([]);
      expect((await engine.read(`${prefix}a`, { atMicros: times[4] ?? 0 }))?.version).toBe(4);
      expect((await listed(times[4] ?? 0)).documents.map(({ version }) => version)).toEqual([4, 0]);
      expect((await listed(Number.MAX_SAFE_INTEGER)).documents).toHaveLength(2);
    });

    test("compacts nothing while a snapshot is pinned", async () => {
      const { engine, clock } = await engineFixture(openStorageEngine, { retainedVersions: 1 });
      await engine.write(post("a"));
      await engine.write(patch("a", {}));
      clock.micros += 1_000_000;
      const snapshot = await engine.snapshot();
      expect((await engine.sweep()).compacted).toBe(0);
      await snapshot.release();
      await snapshot.release();
      expect((await engine.sweep()).compacted).toBe(1);
    });
  });

  describe(`${name}: activity`, () => {
    const minute = 60_000_000;
    const second = 1_000_000;

    /** Compares the counts with those of the versions that the index lists. */
    async function expectActivity(engine: Engine, query: ActivityQuery): Promise<Activity> {
      const { documents } = await engine.page({
        linkPrefix: prefix,
        limit: 10_000,
        expand: false,
        allVersions: true,
        includeDeleted: true,
      });
      const found = await engine.activity(query);
      const expected = new Map<number, ActivityBucket>();
      for (const { updateTimeMicros: time, action } of documents) {
        if (time < found.startMicros || time >= found.endMicros) continue;
        const startMicros = Math.floor(time / found.bucketMicros) * found.bucketMicros;
        const bucket = expected.get(startMicros) ?? { ...none, startMicros };
        bucket[action === "POST" ? "created" : action === "DELETE" ? "deleted" : "updated"] += 1;
        expected.set(startMicros, bucket);
      }
      expect(found.buckets).toEqual(
        [...expected.values()].sort((a, b) => a.startMicros - b.startMicros),
      );
      expect(found.startMicros).toBeLessThanOrEqual(query.startMicros ?? Number.MAX_SAFE_INTEGER);
      expect(found.endMicros).toBeGreaterThanOrEqual(query.endMicros);
      expect((found.endMicros - found.startMicros) / found.bucketMicros).toBeLessThanOrEqual(
        query.buckets,
      );
      return found;
    }
    const none = { created: 0, updated: 0, deleted: 0 };

    /** Creates, changes and deletes documents over three hours, more and more often. */
    async function history(engine: Engine, clock: TestClock): Promise<void> {
      for (let n = 0; n < 60; n += 1) {
        clock.micros += (60 - n) * 7 * second;
        await engine.write(post(`d${n}`));
        if (n % 2 === 0) await engine.write(patch(`d${n}`, { n }));
        if (n % 5 === 0) await engine.write(remove(`d${n}`));
        if (n % 10 === 0) await engine.write(post(`d${n}`, { n }, { revive: true }));
      }
    }

    async function expectAll(engine: Engine, clock: TestClock): Promise<void> {
      for (const buckets of [1, 7, 60, 2000])
        await expectActivity(engine, { endMicros: clock.micros, buckets });
      const startMicros = clock.micros - 10 * minute;
      for (const buckets of [1, 50, 600, 2000])
        await expectActivity(engine, { startMicros, endMicros: clock.micros, buckets });
      const empty = { startMicros: 1, endMicros: 2, buckets: 10 };
      expect((await expectActivity(engine, empty)).buckets).toEqual([]);
    }

    test("counts creations, updates and deletions in intervals of any length, also after a restart", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const { engine, clock } = fixture;
      const nothing = await expectActivity(engine, { endMicros: clock.micros, buckets: 10 });
      expect(nothing.buckets).toEqual([]);
      await history(engine, clock);
      await expectAll(engine, clock);
      const whole = await engine.activity({ endMicros: clock.micros + 1, buckets: 1 });
      expect(whole.buckets).toMatchObject([{ created: 66, updated: 30, deleted: 12 }]);
      await expectAll(await fixture.reopen(), clock);
    });

    test("counts minutes where a bucket would have to count too many versions", async () => {
      const { engine, clock } = await engineFixture(openStorageEngine);
      const before = limits.activityVersions;
      await history(engine, clock);
      const query = { startMicros: clock.micros - minute, endMicros: clock.micros, buckets: 100 };
      expect((await expectActivity(engine, query)).bucketMicros).toBe(second);
      expect(planActivity(query, { firstMinute: 1, versions: before + 1 }).bucketMicros).toBe(
        minute,
      );
    });

    test("no longer counts versions that were compacted, and counts deletions of expired documents", async () => {
      const fixture = await engineFixture(openStorageEngine, {
        retainedVersions: 2,
        historyMicros: 0,
      });
      const { engine, clock } = fixture;
      await history(engine, clock);
      const expirationTimeMicros = clock.micros + second;
      await engine.write(post("short", {}, { expirationTimeMicros }));
      for (let n = 0; n < 10; n += 1) {
        clock.micros += minute;
        await engine.write(patch("d1", { n }));
      }
      let swept;
      let compacted = 0;
      do {
        swept = await engine.sweep();
        compacted += swept.compacted;
      } while (swept.compacted + swept.expired > 0);
      expect(compacted).toBeGreaterThan(8);
      await expectAll(engine, clock);
      await expectAll(await fixture.reopen(), clock);
    });

    test("of a restored generation is that of its versions", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const { engine, clock } = fixture;
      await history(engine, clock);
      const base = await fixture.exportSegment("base");
      await engine.write(post("later"));
      const targetTimeMicros = clock.micros - 5 * minute;
      const { ref } = await fixture.storage.build({
        segments: [base],
        targetTimeMicros,
        identity: { ...identity, lineage: "lineage-2" },
        signal: new AbortController().signal,
      });
      const restored = await fixture.switchTo(ref);
      await expectAll(restored, clock);
      await restored.write(post("after"));
      await expectAll(restored, clock);
    });
  });

  describe(`${name}: segments`, () => {
    test("builds from a base and deltas the same index, at any point in time of its history", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const { engine, clock } = fixture;
      const states: [number, Awaited<ReturnType<typeof contents>>][] = [];
      const base: number[] = [];
      const segments = [];
      for (let round = 0; round < 3; round += 1) {
        for (let i = 0; i < 40; i += 1) {
          clock.micros += 7;
          const key = `d${(i * 7 + round) % 25}`;
          const link = `${prefix}${key}`;
          const now = await engine.read(link);
          const live = now && now.action !== "DELETE";
          const written = await engine.write(
            i % 9 === 8 && live
              ? remove(key)
              : live
                ? patch(key, { round, i })
                : post(key, { i }, { revive: true }),
          );
          if (i % 20 === 0) states.push([written?.updateTimeMicros ?? 0, await contents(engine)]);
        }
        const after = base.at(-1) ?? 0;
        segments.push(
          await fixture.exportSegment(`segment-${round}`, round === 0 ? "base" : "delta", after),
        );
        base.push(segments.at(-1)?.lastMicros ?? 0);
      }
      const whole = await fixture.build(segments);
      expect(await contents(whole)).toEqual(await contents(engine));
      const { documents, versions } = await engine.state();
      expect(await whole.state()).toMatchObject({ documents, versions });
      for (const [time, expected] of states) {
        const then = await fixture.build(segments, time);
        expect(await contents(then)).toEqual(expected);
      }
    });

    test("exports the same rows as the same bytes", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await Promise.all(
        Array.from({ length: 3000 }, (_, i) => fixture.engine.write(post(`d${i}`))),
      );
      const one = await fixture.exportSegment("one");
      await fixture.engine.write(post("later"));
      const snapshot = await fixture.engine.snapshot();
      const path = join(fixture.root, "two");
      const upTo = { ...snapshot, positionMicros: one.lastMicros };
      const two = await fixture.engine.exportSegment({
        snapshot: upTo,
        kind: "base",
        afterMicros: 0,
        path,
        signal: new AbortController().signal,
      });
      expect(two.sha256).toBe(one.sha256);
      expect(readFileSync(path).equals(readFileSync(one.path))).toBe(true);
    });

    test("builds an empty index from the base of an empty index", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const built = await fixture.build([await fixture.exportSegment("empty")]);
      expect(await built.state()).toMatchObject({ documents: 0, versions: 0, positionMicros: 0 });
    });

    test("applies a compaction in a delta to the versions of the base, and to no later ones", async () => {
      const fixture = await engineFixture(openStorageEngine, { retainedVersions: 2 });
      const { engine, clock } = fixture;
      for (let i = 0; i < 6; i += 1)
        await engine.write(i === 0 ? post("a", { i }) : patch("a", { i }));
      const base = await fixture.exportSegment("base");
      clock.micros += 1_000_000;
      expect((await engine.sweep()).compacted).toBe(4);
      await engine.write(patch("a", { i: 99 }));
      const delta = await fixture.exportSegment("delta", "delta", base.lastMicros);
      expect(delta).toMatchObject({ records: 1, prunes: 1 });
      const built = await fixture.build([base, delta]);
      expect((await built.versions(`${prefix}a`, 10)).map(({ version }) => version)).toEqual([
        6, 5, 4,
      ]);
      expect((await built.state()).window).toMatchObject({
        earliestMicros: (await engine.state()).window.earliestMicros,
        boundingLink: `${prefix}a`,
      });
      const rebased = await fixture.exportSegment("rebased");
      expect(rebased.prunes).toBe(1);
    });

    test("rejects a flipped byte, a truncated file and a wrong count in a build and in a check", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await Promise.all(Array.from({ length: 50 }, (_, i) => fixture.engine.write(post(`d${i}`))));
      const segment = await fixture.exportSegment("base");
      const bytes = readFileSync(segment.path);
      const signal = new AbortController().signal;
      const directory = temporaryDirectory();
      const options = { temporaryDirectory: directory, signal };
      const flipped = Buffer.from(bytes);
      flipped[bytes.length - 20] = (flipped[bytes.length - 20] ?? 0) ^ 1;
      const wrong = [
        { ...segment, records: 49 },
        { ...segment, sha256: "0".repeat(64) },
        { ...segment, lastMicros: segment.lastMicros - 1 },
      ];
      for (const claim of wrong)
        await expect(checkSegments([claim], directory, signal)).rejects.toMatchObject({
          code: "DATA_LOSS",
        });
      for (const damage of [
        flipped,
        bytes.subarray(0, bytes.length - 100),
        Buffer.concat([bytes, Buffer.alloc(1)]),
      ]) {
        writeFileSync(segment.path, damage);
        await expect(checkSegments([segment], directory, signal)).rejects.toMatchObject({
          code: "DATA_LOSS",
          reason: "BACKUP_DAMAGED",
        });
        await expect(fixture.build([segment])).rejects.toMatchObject({ code: "DATA_LOSS" });
        await expect(fixture.engine.readBack(segment, options)).rejects.toMatchObject({
          code: "DATA_LOSS",
        });
      }
      writeFileSync(segment.path, bytes);
      await checkSegments([segment], directory, signal);
      await fixture.engine.readBack(segment, options);
    });

    test("builds no index of rows that their check does not see", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await Promise.all(Array.from({ length: 3 }, (_, i) => fixture.engine.write(post(`d${i}`))));
      const base = await fixture.exportSegment("base");
      for (const time of [-(2n ** 60n), 2n ** 60n])
        for (const stated of [0, 1]) {
          const path = `${base.path}-${time}-${stated}`;
          copyFileSync(base.path, path);
          const db = new Database(path);
          db.exec(
            `INSERT INTO log SELECT ${time}, link || x'0a', 7, 'NONSENSE', kind, owner, expires, 5, 'no JSON' FROM log LIMIT 1`,
          );
          db.close();
          const segment = {
            ...base,
            path,
            records: base.records + stated,
            sizeBytes: statSync(path).size,
            sha256: digestFile(path, () => {}),
          };
          for (const target of [undefined, base.lastMicros - 1])
            await expect(fixture.build([segment], target)).rejects.toMatchObject({
              code: "DATA_LOSS",
            });
        }
    });

    test("cancels an export and a build before they are complete", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const pad = "x".repeat(2000);
      await Promise.all(
        Array.from({ length: 8000 }, (_, i) => fixture.engine.write(post(`d${i}`, { pad }))),
      );
      const segment = await fixture.exportSegment("base");
      const snapshot = await fixture.engine.snapshot();
      const controller = new AbortController();
      const copying = fixture.engine.exportSegment({
        snapshot,
        kind: "base",
        afterMicros: 0,
        path: join(fixture.root, "cancelled"),
        signal: controller.signal,
      });
      // The copy has started in its thread. Aborted later, it might be complete on a busy machine.
      setImmediate(() => controller.abort());
      await expect(copying).rejects.toMatchObject({ code: "CANCELLED" });
      const stop = new AbortController();
      const building = fixture.build([segment], undefined, stop.signal);
      // The point of the build at which it is cancelled.
      setTimeout(() => stop.abort(), 50);
      await expect(building).rejects.toMatchObject({ code: "CANCELLED" });
      await snapshot.release();
    });
  });

  describe(`${name}: generations`, () => {
    const signal = new AbortController().signal;
    type Fixture = Awaited<ReturnType<typeof engineFixture>>;

    /** Builds a generation from the current contents of the live one. */
    async function buildFromLive(fixture: Fixture, name: string) {
      const segments = [await fixture.exportSegment(name)];
      const next = { ...identity, lineage: name, parents: [] };
      return fixture.storage.build({ segments, identity: next, signal });
    }

    test("switches to a generation that was built, and keeps it over a restart", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await fixture.engine.write(post("kept"));
      const { ref, documents } = await buildFromLive(fixture, "restored");
      expect(documents).toBe(1);
      await fixture.engine.write(post("discarded"));
      for (const open of [() => fixture.switchTo(ref), () => fixture.reopen()]) {
        const engine = await open();
        expect(Object.keys(await contents(engine))).toEqual([`${prefix}kept`]);
        expect(await engine.state()).toMatchObject({ ...identity, lineage: "restored" });
      }
    });

    test("continues update times above those of the replaced generation, also when the clock goes back", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const { ref } = await buildFromLive(fixture, "restored");
      fixture.clock.micros = 2_000_000_000;
      await fixture.engine.write(post("discarded"));
      fixture.clock.micros = 1;
      await fixture.switchTo(ref);
      expect((await fixture.engine.write(post("a")))?.updateTimeMicros).toBe(2_000_000_001);
      await fixture.reopen();
      expect((await fixture.engine.write(post("b")))?.updateTimeMicros).toBe(2_000_000_002);
    });

    test("fences writes: those under way are included, later ones are refused until it is lifted", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      const written = engine.write(post("a"));
      const { positionMicros, lastTimeMicros } = await engine.fence();
      expect((await written)?.updateTimeMicros).toBe(positionMicros);
      expect(lastTimeMicros).toBeGreaterThanOrEqual(positionMicros);
      await expect(engine.write(post("b"))).rejects.toMatchObject({ reason: "INDEX_RESTORING" });
      expect(await engine.sweep()).toEqual({ expired: 0, compacted: 0, damaged: [] });
      expect(Object.keys(await contents(engine))).toEqual([`${prefix}a`]);
      engine.unfence();
      await engine.write(post("b"));
      expect(Object.keys(await contents(engine))).toEqual([`${prefix}a`, `${prefix}b`]);
    });

    test("takes a snapshot at once when a fence is lifted", async () => {
      const { engine } = await engineFixture(openStorageEngine);
      for (let round = 0; round < 20; round += 1) {
        await engine.fence();
        // Whatever the end of the fence waits for, what follows it does not see the fence any more.
        const reads = Array.from({ length: 200 }, () => engine.state());
        engine.unfence();
        await (await engine.snapshot()).release();
        await Promise.all(reads);
      }
    });

    test("returns to the previous generation under a new identity, and forward again", async () => {
      const fixture = await engineFixture(openStorageEngine);
      expect(await fixture.storage.previous()).toBeUndefined();
      const { ref } = await buildFromLive(fixture, "restored");
      await fixture.engine.write(post("first"));
      const before = await fixture.engine.state();
      await fixture.switchTo(ref);
      const previous = await fixture.storage.previous();
      expect(previous).toMatchObject({
        lineage: before.lineage,
        positionMicros: before.positionMicros,
      });
      const { indexId, lineage } = identity;
      const parents = [{ indexId, lineage, positionMicros: 1 }];
      if (previous === undefined) throw new Error("no previous generation");
      await fixture.storage.relabel(previous.ref, { ...identity, lineage: "undone", parents });
      await fixture.switchTo(previous.ref);
      expect(await fixture.engine.state()).toMatchObject({ lineage: "undone", parents });
      expect(Object.keys(await contents(fixture.engine))).toEqual([`${prefix}first`]);
      expect(await fixture.storage.previous()).toMatchObject({ ref, lineage: "restored" });
      await fixture.switchTo(ref);
      expect(await contents(fixture.engine)).toEqual({});
    });

    test("keeps only the previous generation, and removes those that never became live", async () => {
      const fixture = await engineFixture(openStorageEngine);
      const refs = [];
      for (const name of ["one", "two", "three"]) refs.push(await buildFromLive(fixture, name));
      const [one, two, three] = refs;
      if (!one || !two || !three) throw new Error("not built");
      await fixture.switchTo(one.ref);
      await fixture.switchTo(two.ref);
      expect(await fixture.storage.previous()).toMatchObject({ ref: one.ref });
      // Three was built and is a leftover for the next start; it cannot become live after that.
      await fixture.reopen();
      await expect(fixture.switchTo(three.ref)).rejects.toMatchObject({ reason: "INDEX_DAMAGED" });
      fixture.engine.unfence();
      const four = await buildFromLive(fixture, "four");
      await fixture.storage.discard(four.ref);
      await expect(fixture.switchTo(four.ref)).rejects.toMatchObject({ reason: "INDEX_DAMAGED" });
      fixture.engine.unfence();
      await fixture.engine.write(post("a"));
      expect(await fixture.storage.previous()).toMatchObject({ ref: one.ref });
      expect(fixture.backgroundErrors).toEqual([]);
    });

    test("leaves the live generation as it is when a build fails", async () => {
      const fixture = await engineFixture(openStorageEngine);
      await fixture.engine.write(post("a"));
      const segment = { ...(await fixture.exportSegment("segment")), records: 7 };
      await expect(
        fixture.storage.build({ segments: [segment], identity, signal }),
      ).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
      await fixture.reopen();
      expect(Object.keys(await contents(fixture.engine))).toEqual([`${prefix}a`]);
    });
  });
}
