import {
  mkdirSync,
  writeFileSync,
  truncateSync,
  statSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { join } from "node:path";
import type {
  DiffSummary,
  DocumentDifference,
  DocumentSelection,
  IndexPointInTime,
} from "../../src/backup/point-in-time.js";
import type { VerifyResult } from "../../src/backup/verification.js";
import type { DiffProgress } from "../../src/service/backups/inspection.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";

const never = new AbortController().signal;
const indexLink = "/core/document-index";
const live: IndexPointInTime = { indexLink };
const at = (
  fixture: HostFixture,
  name: string,
  more: Partial<IndexPointInTime> = {},
): IndexPointInTime => ({
  indexLink,
  uri: fixture.uri(name),
  ...more,
});
const remove = (fixture: HostFixture, name: string) =>
  fixture.host.documents.delete(`/things/${name}`);

async function differences(
  fixture: HostFixture,
  from: IndexPointInTime,
  to: IndexPointInTime,
  selection?: { prefixes: string[]; kinds: string[]; links: string[] },
) {
  const found: DocumentDifference[] = [];
  let summary: DiffSummary | undefined;
  for await (const one of fixture.host.management.inspection.diff(from, to, selection, never)) {
    if ("link" in one) found.push(one);
    else summary = one;
  }
  return {
    lines: found.map(
      ({ change, link, from: a, to: b }) =>
        `${change} ${link} ${a?.version ?? "-"} ${b?.version ?? "-"}`,
    ),
    summary,
  };
}

async function exported(
  fixture: HostFixture,
  pointInTime: IndexPointInTime,
): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { link, body } of fixture.host.management.inspection.export(
    pointInTime,
    undefined,
    never,
  ))
    all[link.slice("/things/".length)] = body;
  return all;
}

async function twoBackups(container: "DIRECTORY" | "ZIP") {
  const fixture = await hostFixture();
  for (const name of ["a", "b", "c", "ü"]) await fixture.put(name, { name });
  await fixture.backup("first", { container });
  const pointInTime = await fixture.put("b", { name: "b2" });
  await remove(fixture, "c");
  await fixture.put("d", { name: "d" });
  await fixture.backup("second", { container });
  return { fixture, pointInTime };
}

test.each(["DIRECTORY", "ZIP"] as const)(
  "compares two backups, a point in time of one, and the live index (%s)",
  async (container) => {
    const { fixture, pointInTime } = await twoBackups(container);
    const changes = ["CHANGED /things/b 0 1", "DELETED /things/c 0 -", "CREATED /things/d - 0"];
    expect(await differences(fixture, at(fixture, "first"), at(fixture, "second"))).toEqual({
      lines: changes,
      summary: { created: 1, changed: 1, deleted: 1, unchanged: 2, warnings: [] },
    });
    expect(
      (
        await differences(
          fixture,
          at(fixture, "first"),
          at(fixture, "second", { targetTimeMicros: BigInt(pointInTime) }),
        )
      ).lines,
    ).toEqual(changes.slice(0, 1));
    expect((await differences(fixture, at(fixture, "second"), live)).lines).toEqual([]);
    await fixture.put("a", { name: "late" });
    expect((await differences(fixture, at(fixture, "second"), live)).lines).toEqual([
      "CHANGED /things/a 0 1",
    ]);
    expect(
      (await differences(fixture, live, { ...live, targetTimeMicros: BigInt(pointInTime) })).lines,
    ).toEqual(["CHANGED /things/a 1 0", "CREATED /things/c - 0", "DELETED /things/d 0 -"]);
    const selection = {
      prefixes: ["/things/b"],
      kinds: [],
      links: ["/things/d", "/things/nobody"],
    };
    expect(
      (await differences(fixture, at(fixture, "first"), at(fixture, "second"), selection)).lines,
    ).toEqual([changes[0], changes[2]]);
    expect(
      (
        await differences(fixture, at(fixture, "first"), at(fixture, "second"), {
          prefixes: [],
          kinds: ["test:other"],
          links: [],
        })
      ).lines,
    ).toEqual([]);
  },
);

test("a comparison reports its progress: reading first, then the number of documents", async () => {
  const { fixture } = await twoBackups("DIRECTORY");
  const reported: DiffProgress[] = [];
  const run = async (selection?: DocumentSelection) => {
    reported.length = 0;
    for await (const _ of fixture.host.management.inspection.diff(
      at(fixture, "first"),
      at(fixture, "second"),
      selection,
      never,
      (progress) => reported.push(progress),
    ));
  };
  await run();
  expect(reported.map(({ stage }) => stage)).toContain("verifying");
  const comparing = reported.filter(({ stage }) => stage === "comparing");
  // The first document that differs, after two that do not.
  expect(comparing.at(0)).toEqual({ stage: "comparing", recordsDone: 3, recordsTotal: 4 });
  // a, b, c, d and ü: one more than either side contains.
  expect(comparing.at(-1)).toEqual({ stage: "comparing", recordsDone: 5, recordsTotal: 5 });
  await run({ prefixes: ["/things/b"], kinds: [], links: [] });
  expect(reported.at(-1)).toEqual({ stage: "comparing", recordsDone: 1, recordsTotal: 0 });
});

test("exports any backup and point in time, and describes a point in time by the versions around it", async () => {
  const { fixture, pointInTime } = await twoBackups("ZIP");
  expect(await exported(fixture, at(fixture, "first"))).toEqual({
    a: '{"name":"a"}',
    b: '{"name":"b"}',
    c: '{"name":"c"}',
    ü: '{"name":"ü"}',
  });
  expect(await exported(fixture, live)).toEqual(await fixture.contents());
  expect(await exported(fixture, { ...live, targetTimeMicros: BigInt(pointInTime) })).toEqual(
    await exported(fixture, at(fixture, "second", { targetTimeMicros: BigInt(pointInTime) })),
  );
  for (const state of [live, at(fixture, "second")]) {
    const around = await fixture.host.management.inspection.around(
      { ...state, targetTimeMicros: BigInt(pointInTime) },
      2,
      never,
    );
    expect(
      around.before.map(({ link, version, action }) => `${action} ${link} ${version}`),
    ).toEqual(["PUT /things/b 1", "POST /things/ü 0"]);
    expect(around.after.map(({ link, version, action }) => `${action} ${link} ${version}`)).toEqual(
      ["DELETE /things/c 1", "POST /things/d 0"],
    );
    expect(around.afterCount).toBe(2);
  }
  await expect(exported(fixture, { ...live, targetTimeMicros: 1n })).rejects.toMatchObject({
    reason: "TARGET_TIME_OUT_OF_RANGE",
  });
  await expect(exported(fixture, at(fixture, "nowhere"))).rejects.toMatchObject({
    reason: "BACKUP_NOT_FOUND",
  });
  await expect(fixture.host.management.inspection.around(live, 2, never)).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
  });
});

test("reading backups leaves no temporary files, also if the reader disconnects", async () => {
  const { fixture } = await twoBackups("ZIP");
  for (let round = 0; round < 3; round += 1) {
    const stream = fixture.host.management.inspection.diff(
      at(fixture, "first"),
      at(fixture, "second"),
      undefined,
      never,
    );
    await stream.next();
    await stream.return(undefined);
  }
  const stop = new AbortController();
  const stopped = fixture.host.management.inspection
    .export(at(fixture, "first"), undefined, stop.signal)
    .next();
  stop.abort();
  await expect(stopped).rejects.toThrow();
  expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
});

describe("verification levels", () => {
  const verify = (
    fixture: HostFixture,
    name: string,
    level: "METADATA" | "SAMPLE" | "FULL" | "TEST_RESTORE",
  ) =>
    fixture.finish<VerifyResult>(
      fixture.host.management.verifyBackup(fixture.uri(name), undefined, {
        level,
        samplePercent: 50,
      }),
    );

  test.each(["DIRECTORY", "ZIP"] as const)(
    "each level reads the documented parts, and its result survives a restart (%s)",
    async (container) => {
      const fixture = await hostFixture();
      for (let n = 0; n < 300; n += 1) await fixture.put(`n${n}`, { n });
      await fixture.backup("backup", { container });
      expect(await verify(fixture, "backup", "METADATA")).toMatchObject({
        level: "METADATA",
        records: 0,
        bytes: 0,
      });
      const sampled = await verify(fixture, "backup", "SAMPLE");
      expect(sampled.records).toBeGreaterThanOrEqual(100);
      expect(await verify(fixture, "backup", "FULL")).toMatchObject({
        level: "FULL",
        records: 300,
      });
      expect(await verify(fixture, "backup", "TEST_RESTORE")).toMatchObject({
        level: "TEST_RESTORE",
        records: 300,
        documents: 300,
        versions: 300,
      });
      await fixture.restart();
      const [listed] = await fixture.host.management.listBackups(fixture.uri("backup"));
      expect(listed?.lastVerification).toMatchObject({
        level: "TEST_RESTORE",
        passed: true,
        records: 300,
      });
    },
  );

  /** Fifty documents that consist of the letter x in a backup, and the file of its base. */
  async function withBase() {
    const fixture = await hostFixture();
    for (let n = 0; n < 50; n += 1) await fixture.put(`n${n}`, { text: "x".repeat(500) });
    await fixture.backup("backup");
    const segment =
      readdirSync(join(fixture.root, "backup")).find((name) => name.startsWith("base-")) ?? "";
    const path = join(fixture.root, "backup", segment);
    return { fixture, path, bytes: readFileSync(path) };
  }

  test("each level that reads a changed byte reports it, and the result is recorded", async () => {
    const { fixture, path, bytes } = await withBase();
    for (let i = bytes.indexOf("xxxxx"); i < bytes.length; i += 4096)
      if (bytes[i] === 0x78) bytes[i] = 0x79;
    writeFileSync(path, bytes);
    await verify(fixture, "backup", "METADATA");
    for (const level of ["SAMPLE", "FULL", "TEST_RESTORE"] as const)
      await expect(verify(fixture, "backup", level)).rejects.toMatchObject({
        reason: "BACKUP_DAMAGED",
      });
    const listed = await fixture.host.management.listBackups(fixture.uri("backup"));
    expect(listed).toMatchObject([
      { state: "COMPLETE", lastVerification: { level: "TEST_RESTORE", passed: false } },
    ]);
    expect(await fixture.host.management.checkDigests(listed)).toMatchObject([
      { state: "DAMAGED", problem: expect.stringContaining("sha256") },
    ]);
    truncateSync(path, statSync(path).size - 1);
    await expect(verify(fixture, "backup", "METADATA")).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
    });
  });

  test("the next backup does not extend a chain found damaged, has a warning, and can be restored", async () => {
    const { fixture, path, bytes } = await withBase();
    bytes[bytes.indexOf("xxxxx")] = 0x79;
    writeFileSync(path, bytes);
    // Reported by its location in the backup: the copy that was read is deleted.
    await expect(fixture.restore("backup")).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
      message: expect.stringContaining(path) as string,
      metadata: { file: path },
    });
    await fixture.put("n0", { text: "later" });
    await expect(verify(fixture, "backup", "FULL")).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
    });
    await fixture.restart();
    expect((await fixture.backup("backup", { validateOnly: true })).plan).toMatchObject({
      kind: "BASE",
      reason: expect.stringContaining("damage") as string,
    });
    const next = await fixture.backup("backup");
    expect(next.backup.segments.map(({ kind }) => kind)).toEqual(["base"]);
    expect(next.warnings).toEqual([expect.stringMatching(/found damage.*a new base was written/)]);
    const contents = await fixture.contents();
    await fixture.put("n0", { text: "last" });
    await fixture.restore("backup");
    expect(await fixture.contents()).toEqual(contents);
  });

  test("a truncated archive is damaged, not foreign", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { text: "x".repeat(500) });
    await fixture.backup("backup.zip", { container: "ZIP" });
    const path = join(fixture.root, "backup.zip");
    for (const kept of [0.9, 0.3]) {
      truncateSync(path, Math.floor(statSync(path).size * kept));
      for (const ask of [
        () => fixture.restore("backup.zip"),
        () => verify(fixture, "backup.zip", "FULL"),
        () => fixture.host.management.describeBackup(fixture.uri("backup.zip")),
      ]) {
        await expect(ask()).rejects.toMatchObject({
          reason: "BACKUP_DAMAGED",
          message: expect.stringContaining("cut off") as string,
        });
      }
    }
    // The file is kept so that an operator can examine it.
    await expect(fixture.backup("backup.zip", { container: "ZIP" })).rejects.toMatchObject({
      reason: "DESTINATION_OCCUPIED",
    });
  });
});

test("a recursive listing shows the state of every backup", async () => {
  const fixture = await hostFixture();
  const below = (...names: string[]) => join(fixture.root, "store", ...names);
  mkdirSync(below("deep", "er"), { recursive: true });
  await fixture.put("a", { a: 1 });
  await fixture.backup("store/deep/er/directory");
  await fixture.backup("store/archive.zip", { container: "ZIP" });
  const archive = readFileSync(below("archive.zip"));
  writeFileSync(below("cut.zip"), archive.subarray(0, archive.length - 30));
  writeFileSync(below("letter.zip"), "no archive");
  writeFileSync(below("empty.zip"), "");
  writeFileSync(below("notes.txt"), "not looked at");
  mkdirSync(below("xenon"));
  writeFileSync(below("xenon", "segments_1"), "");
  mkdirSync(below("begun"));
  writeFileSync(below("begun", "base-0-1-0123456789abcdef.sqlite"), "");
  await fixture.backup("store/lost");
  for (const name of readdirSync(below("lost")))
    if (name.startsWith("base-")) truncateSync(below("lost", name), 100);
  const listed = await fixture.host.management.listBackups(fixture.uri("store"), {
    recursive: true,
  });
  const states = Object.fromEntries(
    listed.map(({ uri, state }) => [uri.slice(fixture.uri("store").length + 1), state]),
  );
  expect(states).toEqual({
    "archive.zip": "COMPLETE",
    "cut.zip": "DAMAGED",
    "letter.zip": "FOREIGN",
    "empty.zip": "INCOMPLETE",
    xenon: "FOREIGN",
    begun: "INCOMPLETE",
    lost: "DAMAGED",
    "deep/er/directory": "COMPLETE",
  });
  for (const one of listed)
    if (one.state !== "COMPLETE")
      expect(one).toMatchObject({ name: one.name, problem: expect.anything() as unknown });
  await expect(
    fixture.host.management.listBackups(fixture.uri("nowhere"), { recursive: true }),
  ).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
});

describe("a restore of selected documents", () => {
  const none = { prefixes: [], kinds: [], links: [], deleteOthers: false };

  test("writes new versions and keeps all others; a repetition writes nothing", async () => {
    const { fixture } = await twoBackups("DIRECTORY");
    await fixture.put("later", { n: 1 });
    const preview = await fixture.restore("first", {
      selection: { ...none, prefixes: ["/things/"] },
      validateOnly: true,
    });
    const counts = { created: 1, replaced: 1, unchanged: 2, deleted: 0, kept: 2 };
    expect(preview.selection).toMatchObject(counts);
    expect(preview.selection?.differences.map(({ change, link }) => `${change} ${link}`)).toEqual([
      "CHANGED /things/b",
      "CREATED /things/c",
    ]);
    expect(await fixture.contents()).toMatchObject({ b: '{"name":"b2"}', later: '{"n":1}' });
    expect(
      (await fixture.restore("first", { selection: { ...none, prefixes: ["/things/"] } }))
        .selection,
    ).toMatchObject(counts);
    expect(await fixture.contents()).toEqual({
      a: '{"name":"a"}',
      b: '{"name":"b"}',
      c: '{"name":"c"}',
      d: '{"name":"d"}',
      later: '{"n":1}',
      ü: '{"name":"ü"}',
    });
    expect((await fixture.host.documents.get("/things/b")).version).toBe(2);
    expect(
      (await fixture.restore("first", { selection: { ...none, prefixes: ["/things/"] } }))
        .selection,
    ).toMatchObject({ created: 0, replaced: 0, unchanged: 4, kept: 2 });
  });

  test("selects by link and kind at a point in time; deletes documents missing in the backup only on request", async () => {
    const { fixture, pointInTime } = await twoBackups("ZIP");
    const selection = { ...none, links: ["/things/c", "/things/d"] };
    expect(
      (await fixture.restore("second", { selection, targetTimeMicros: BigInt(pointInTime) }))
        .selection,
    ).toMatchObject({ created: 1, kept: 1 });
    expect(
      (
        await fixture.restore("second", {
          selection: { ...selection, deleteOthers: true },
          targetTimeMicros: BigInt(pointInTime),
        })
      ).selection,
    ).toMatchObject({ unchanged: 1, deleted: 1 });
    expect(Object.keys(await fixture.contents()).sort()).toEqual(["a", "b", "c", "ü"]);
    expect(
      (await fixture.restore("first", { selection: { ...none, kinds: ["test:other"] } })).selection,
    ).toMatchObject({ created: 0, replaced: 0, unchanged: 0 });
  });

  test("works under concurrent writes, and never reverts writes to other documents", async () => {
    const fixture = await hostFixture();
    for (let n = 0; n < 400; n += 1) await fixture.put(`n${n}`, { n });
    await fixture.backup("backup");
    for (let n = 0; n < 400; n += 2) await remove(fixture, `n${n}`);
    let writing = true;
    const load = (async () => {
      for (let n = 0; writing; n += 1) await fixture.put(`w${n}`, { n });
      return Object.keys(await fixture.contents()).filter((name) => name.startsWith("w")).length;
    })();
    const { selection } = await fixture.restore("backup", {
      selection: { ...none, prefixes: ["/things/n"] },
    });
    writing = false;
    const written = await load;
    expect(selection).toMatchObject({ created: 200, unchanged: 200 });
    expect(Object.keys(await fixture.contents())).toHaveLength(400 + written);
  });

  test("refuses unsupported options, and blocks another restore", async () => {
    const { fixture } = await twoBackups("ZIP");
    await expect(
      fixture.restore("first", { selection: none, ifPositionMicros: 1 }),
    ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
    await expect(
      fixture.restore("first", { selection: none, baseSources: [fixture.uri("second")] }),
    ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
    await expect(
      fixture.restore("first", { selection: none, targetTimeMicros: 1n }),
    ).rejects.toMatchObject({ reason: "TARGET_TIME_OUT_OF_RANGE" });
    // Depends on which of the two claims the index first.
    const both = await Promise.allSettled([
      fixture.restore("first", { selection: none }),
      fixture.restore("first"),
    ]);
    expect(
      both.flatMap((one) =>
        one.status === "rejected" ? [(one.reason as { reason: string }).reason] : [],
      ),
    ).toEqual(["RESTORE_IN_PROGRESS"]);
    await fixture.restore("first");
  });

  test("does not restore expired documents, and warns", async () => {
    const fixture = await hostFixture();
    await fixture.host.documents.create(
      "/things",
      `{"documentSelfLink":"short","documentExpirationTimeMicros":${Date.now() * 1000 + 300_000}}`,
    );
    await fixture.backup("backup");
    await eventually(
      async () =>
        (await fixture.host.documents.list({ factoryPath: "/things", expand: false, limit: 1 }))
          .documents.length === 0,
    );
    const { selection, warnings } = await fixture.restore("backup", { selection: none });
    expect(selection?.created).toBe(0);
    expect(warnings).toEqual([expect.stringContaining("expired since: 1 documents")]);
  });
});

describe("a dry run", () => {
  test("plans a backup and writes nothing", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { a: 1 });
    expect((await fixture.backup("backup", { validateOnly: true })).plan).toMatchObject({
      kind: "BASE",
      records: 1,
      replacedBackups: [],
    });
    expect(readdirSync(fixture.root)).toEqual(["data"]);
    const { backup } = await fixture.backup("backup");
    expect((await fixture.backup("backup", { validateOnly: true })).plan).toMatchObject({
      kind: "UNCHANGED",
      records: 0,
    });
    await fixture.put("b", { b: 1 });
    const { plan } = await fixture.backup("backup", { validateOnly: true });
    expect(plan).toMatchObject({ kind: "DELTA", records: 1, replacedBackups: [backup.name] });
    expect(plan?.expectedMicros).toBeGreaterThan(0);
    expect((await fixture.backup("backup", { validateOnly: true, full: true })).plan).toMatchObject(
      { kind: "BASE", records: 2 },
    );
    expect(
      (await fixture.backup("one.zip", { validateOnly: true, container: "ZIP" })).plan,
    ).toMatchObject({ kind: "BASE", records: 2 });
  });

  test("plans a restore: what it replaces and discards", async () => {
    const { fixture, pointInTime } = await twoBackups("DIRECTORY");
    const { plan } = await fixture.restore("first", { validateOnly: true });
    expect(plan).toMatchObject({
      currentDocuments: 4,
      currentVersions: 7,
      discardedVersions: 3,
      backup: { documents: 4 },
    });
    expect(
      (
        await fixture.restore("second", {
          validateOnly: true,
          targetTimeMicros: BigInt(pointInTime),
        })
      ).plan?.discardedVersions,
    ).toBe(2);
    const other = await hostFixture();
    const elsewhere = await other.restore("", { source: fixture.uri("first"), validateOnly: true });
    expect(elsewhere.plan).toMatchObject({ currentDocuments: 0 });
    expect(elsewhere.plan?.discardedVersions).toBeUndefined();
  });
});
