import {
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { HostError } from "../../src/errors.js";
import { fromFileError } from "../../src/io/file-error.js";
import { hostFixture } from "../support/host-fixture.js";
import { readWholeBackup } from "../support/whole-backup.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { formatVersion } from "../../src/segment/format.js";

/** A small backup of two segments in a directory, and one in an archive. */
async function smallBackups() {
  const fixture = await hostFixture();
  for (const name of ["a", "b", "c"]) await fixture.put(name, { name });
  await fixture.backup("dir");
  await fixture.put("a", { name: "later" });
  await fixture.backup("dir");
  await fixture.backup("b.zip", { container: "ZIP" });
  return fixture;
}

/** Whether what a restore would read is refused, or is identical to the backup. */
/** Without trusted signers, the signature of a manifest is not read. */
const withoutSignatures = (path: string) =>
  readdirSync(path).filter((name) => !name.endsWith(".sig"));

async function verdict(
  path: string,
  expected: string,
): Promise<"refused" | "same" | "FALSE SUCCESS" | string> {
  try {
    return JSON.stringify(await readWholeBackup(path)) === expected ? "same" : "FALSE SUCCESS";
  } catch (thrown) {
    const error = fromFileError(thrown, "Reading the backup");
    return error instanceof HostError && error.code !== "INTERNAL"
      ? "refused"
      : `untyped: ${String(error)}`;
  }
}

test("no flipped byte of a directory backup is restored", async () => {
  const fixture = await smallBackups();
  const path = join(fixture.root, "dir");
  const expected = JSON.stringify(await readWholeBackup(path));
  const verdicts = new Map<string, number>();
  for (const name of withoutSignatures(path)) {
    const file = join(path, name);
    const bytes = readFileSync(file);
    // Every byte of the manifest; of the segments every byte of page headers, and a stride that covers all other positions in time.
    const step = name.startsWith("manifest") ? 1 : 97;
    for (let at = 0; at < bytes.length; at += at < 200 ? 1 : step) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(file, damaged);
      const found = await verdict(path, expected);
      verdicts.set(found, (verdicts.get(found) ?? 0) + 1);
    }
    writeFileSync(file, bytes);
  }
  expect([...verdicts.keys()]).toEqual(["refused"]);
  expect(verdicts.get("refused")).toBeGreaterThan(1500);
});

test("a flipped byte of an archive is detected or does not change the restored data", async () => {
  const fixture = await smallBackups();
  const path = join(fixture.root, "b.zip");
  const expected = JSON.stringify(await readWholeBackup(path));
  const bytes = readFileSync(path);
  const verdicts = new Map<string, number>();
  let tried = 0;
  // Flips one bit of every byte, a different one from byte to byte.
  for (let at = 0; at < bytes.length; at += 1) {
    tried += 1;
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(path, damaged);
    const found = await verdict(path, expected);
    verdicts.set(found, (verdicts.get(found) ?? 0) + 1);
  }
  expect([...verdicts.keys()].sort()).toEqual(["refused", "same"]);
  expect(verdicts.get("refused")).toBeGreaterThan(tried / 2);
});

test("detects files that are truncated, extended, emptied, missing or swapped", async () => {
  const fixture = await smallBackups();
  const path = join(fixture.root, "dir");
  const expected = JSON.stringify(await readWholeBackup(path));
  const names = withoutSignatures(path);
  for (const name of names) {
    const file = join(path, name);
    const bytes = readFileSync(file);
    const count = 60;
    const lengths = Array.from({ length: count }, (_, i) => Math.floor((bytes.length * i) / count));
    for (const length of [...lengths, bytes.length - 1]) {
      writeFileSync(file, bytes.subarray(0, length));
      expect(await verdict(path, expected)).toBe("refused");
    }
    writeFileSync(file, Buffer.concat([bytes, Buffer.from("x")]));
    expect(await verdict(path, expected)).toBe("refused");
    renameSync(file, `${file}.away`);
    expect(await verdict(path, expected)).toBe("refused");
    renameSync(`${file}.away`, file);
    writeFileSync(file, bytes);
  }
  const [base = "", delta = ""] = names.filter((name) => name.endsWith(".sqlite"));
  copyFileSync(join(path, base), join(path, delta));
  expect(await verdict(path, expected)).toBe("refused");
  const zip = join(fixture.root, "b.zip");
  const whole = readFileSync(zip);
  for (let length = 0; length < whole.length; length += 7) {
    writeFileSync(zip, whole.subarray(0, length));
    expect(await verdict(zip, "")).toBe("refused");
  }
});

test("a damaged backup leaves the index unchanged, the error names the file, and the next backup is complete", async () => {
  const fixture = await smallBackups();
  const path = join(fixture.root, "dir");
  const [base = ""] = readdirSync(path).filter((name) => name.startsWith("base"));
  const bytes = readFileSync(join(path, base));
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(join(path, base), bytes);
  const before = await fixture.contents();
  await expect(fixture.restore("dir")).rejects.toMatchObject({
    code: "DATA_LOSS",
    message: expect.stringContaining(base) as string,
  });
  await expect(
    fixture.finish(fixture.host.management.verifyBackup(fixture.uri("dir"))),
  ).rejects.toMatchObject({ code: "DATA_LOSS" });
  expect(await fixture.contents()).toEqual(before);
  rmSync(join(path, base));
  expect((await fixture.host.management.listBackups(fixture.uri("dir")))[0]).toMatchObject({
    state: "DAMAGED",
    problem: expect.stringContaining(base) as string,
  });
  await fixture.backup("dir");
  await fixture.put("a", { lost: true });
  await fixture.restore("dir");
  expect(await fixture.contents()).toEqual(before);
});

test("a bad row in the live index fails the backup and keeps the older one", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { fine: true });
  await fixture.backup("dir");
  const number = (await readWholeBackup(join(fixture.root, "dir"))).number;
  await fixture.put("b", { fine: true });
  await fixture.stop();
  const index = join(fixture.root, "data", "document-index");
  const generation = readdirSync(index).find((name) => name.startsWith("generation-")) ?? "";
  const db = new Database(join(index, generation, "index.sqlite"));
  db.prepare("UPDATE log SET body = '{\"fine\":fals}' WHERE link = '/things/b'").run();
  db.close();
  await fixture.restart();
  for (const [destination, container] of [
    ["dir", "DIRECTORY"],
    ["other", "DIRECTORY"],
    ["b.zip", "ZIP"],
  ] as const) {
    await expect(fixture.backup(destination, { container })).rejects.toMatchObject({
      code: "DATA_LOSS",
    });
  }
  expect((await readWholeBackup(join(fixture.root, "dir"))).number).toBe(number);
  expect(readdirSync(fixture.root)).not.toContain("b.zip");
});

function databaseOf(root: string): string {
  const index = join(root, "data", "document-index");
  const { current } = JSON.parse(readFileSync(join(index, "CURRENT.json"), "utf8")) as {
    current: string;
  };
  return join(index, current, "index.sqlite");
}

/** Files that exist only while an index is open or after a crash. */
const walOf = (root: string) => `${databaseOf(root)}-wal`;

/** Changes the database of the live index of a stopped host. */
function changeIndex(root: string, change: (db: Database.Database) => void): void {
  const db = new Database(databaseOf(root));
  db.unsafeMode(true);
  change(db);
  db.close();
}

test("no request returns a body that differs from its checksum, and expiry does not give it a new checksum", async () => {
  const fixture = await hostFixture();
  const link = "/things/b";
  await fixture.put("a", { n: 1 });
  await fixture.host.documents.create(
    "/things",
    JSON.stringify({
      documentSelfLink: "b",
      n: 1,
      documentExpirationTimeMicros: Date.now() * 1000 + 1_500_000,
    }),
  );
  await fixture.stop();
  changeIndex(fixture.root, (db) =>
    db.prepare(`UPDATE log SET body = replace(body, '"n":1', '"n":9') WHERE link = ?`).run(link),
  );
  await fixture.restart();
  const { documents, management } = fixture.host;
  const expanded = { factoryPath: "/things", expand: true, limit: 10 };
  const damaged = { reason: "INDEX_DAMAGED" };
  await expect(documents.get(link)).rejects.toMatchObject(damaged);
  await expect(documents.list(expanded)).rejects.toMatchObject(damaged);
  await expect(documents.list({ ...expanded, filter: "n ge 0" })).rejects.toMatchObject(damaged);
  await expect(documents.list({ ...expanded, orderBy: "n asc" })).rejects.toMatchObject(damaged);
  await expect(documents.listVersions(link, 10)).rejects.toMatchObject(damaged);
  const exported = management.inspection.export(
    { indexLink: "/core/document-index" },
    undefined,
    new AbortController().signal,
  );
  await expect(exported.next().then(() => exported.next())).rejects.toMatchObject(damaged);
  // The expiry time and several sweeps pass.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await expect(documents.get(link)).rejects.toMatchObject(damaged);
});

test("a key index without a document makes a backup that full verification and restore refuse", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.put("b", { n: 1 });
  await fixture.backup("dir");
  await fixture.stop();
  const whole = "CREATE UNIQUE INDEX log_version ON log (link, version)";
  changeIndex(fixture.root, (db) => {
    const declare = (sql: string) => {
      db.pragma("writable_schema = ON");
      db.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = 'log_version'").run(sql);
      db.pragma("writable_schema = RESET");
    };
    declare(`${whole} WHERE link <> '/things/b'`);
    db.exec("REINDEX log_version");
    declare(whole);
  });
  await fixture.restart();
  const check = () => fixture.finish(fixture.host.management.checkIndex("/core/document-index"));
  await expect(check()).rejects.toMatchObject({
    reason: "INDEX_DAMAGED",
    message: expect.stringContaining("log_version") as string,
  });
  expect((await fixture.host.management.host()).indexes[0]?.problem).toContain("log_version");
  // The log still contains all documents: a backup is complete, and its restore rebuilds the key indexes.
  await fixture.backup("repair", { full: true });
  await fixture.put("b", { n: 2 });
  await fixture.backup("dir");
  await expect(
    fixture.finish(fixture.host.management.verifyBackup(fixture.uri("dir"))),
  ).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
  await expect(fixture.restore("dir")).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
  await expect(fixture.backup("dir", { full: true })).rejects.toMatchObject({
    reason: "INDEX_DAMAGED",
  });
  await fixture.restore("repair");
  expect(await check()).toMatchObject({ documents: 2, versions: 2, records: 2 });
  expect((await fixture.host.management.host()).indexes[0]?.problem).toBeUndefined();
});

test("checks an index at the start only after an unclean stop", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.stop();
  await fixture.restart();
  const checks = () =>
    fixture.host.operations.list(100).operations.filter(({ kind }) => kind === "check-index");
  expect(checks()).toEqual([]);
  const copy = join(temporaryDirectory(), "killed");
  cpSync(join(fixture.root, "data"), join(copy, "data"), { recursive: true });
  rmSync(join(copy, "data", "lock.sqlite"), { force: true });
  changeIndex(copy, (db) => db.prepare("UPDATE log SET crc = crc + 1").run());
  writeFileSync(walOf(copy), "");
  const killed = await hostFixture({}, copy);
  const [check] = killed.host.operations.list(100).operations;
  await expect(
    killed.finish(Promise.resolve(check as NonNullable<typeof check>)),
  ).rejects.toMatchObject({ reason: "INDEX_DAMAGED" });
});

test("counts changed by a flipped bit are recomputed from the log; unreadable ones are damage", async () => {
  const fixture = await hostFixture();
  for (const name of ["a", "b", "c"]) await fixture.put(name, {});
  await fixture.stop();
  changeIndex(fixture.root, (db) =>
    db.exec(
      `UPDATE meta SET value = replace(value, '"documents":3', '"documents":2') WHERE key = 'counts'`,
    ),
  );
  await fixture.restart();
  expect((await fixture.backup("dir")).backup).toMatchObject({ documents: 3, versions: 3 });
  for (const [key, value] of [
    ["counts", "{nope"],
    ["parents", '[{"indexId":1}]'],
    ["floor", "soon"],
  ] as const) {
    await fixture.stop();
    let before: unknown;
    const put = (text: unknown) =>
      changeIndex(fixture.root, (db) =>
        db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(key, text),
      );
    changeIndex(
      fixture.root,
      (db) => (before = db.prepare("SELECT value FROM meta WHERE key = ?").pluck().get(key)),
    );
    put(value);
    await expect(fixture.restart()).rejects.toMatchObject({ reason: "INDEX_DAMAGED" });
    put(before);
    await fixture.restart();
  }
});

test("the result of a verification applies to the verified copy alone", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", {});
  await fixture.backup("dir");
  cpSync(join(fixture.root, "dir"), join(fixture.root, "copy"), { recursive: true });
  const [base = ""] = readdirSync(join(fixture.root, "copy")).filter((name) =>
    name.startsWith("base"),
  );
  const bytes = readFileSync(join(fixture.root, "copy", base));
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(join(fixture.root, "copy", base), bytes);
  await fixture.finish(fixture.host.management.verifyBackup(fixture.uri("dir")));
  await expect(
    fixture.finish(fixture.host.management.verifyBackup(fixture.uri("copy"))),
  ).rejects.toMatchObject({ code: "DATA_LOSS" });
  const passed = async (name: string) =>
    (await fixture.host.management.listBackups(fixture.uri(name)))[0]?.lastVerification?.passed;
  expect(await passed("dir")).toBe(true);
  expect(await passed("copy")).toBe(false);
  await fixture.put("b", {});
  const next = await fixture.backup("dir");
  expect(next.warnings).toEqual([]);
  expect(next.backup.segments).toHaveLength(2);
});

test("rejects a segment with a view, a trigger, another table or a file beside it", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", {});
  await fixture.backup("dir");
  const scratch = join(temporaryDirectory(), "scratch.sqlite");
  const { segments } = await readWholeBackup(join(fixture.root, "dir"));
  const { checkDigest, digestFile } = await import("../../src/segment/segment-file.js");
  const { checkRows } = await import("../../src/segment/check-rows.js");
  const [base] = segments;
  if (!base) throw new Error("no base");
  for (const statement of [
    "CREATE VIEW v AS SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON log BEGIN SELECT 1; END",
    "CREATE TABLE other (x)",
    "DROP TABLE prune",
    "UPDATE log SET action = 'EXEC'",
    "UPDATE log SET crc = crc + 1",
    "UPDATE log SET crc = crc + 4294967296",
    "UPDATE log SET body = body || ' '",
    "UPDATE log SET version = -1",
    "UPDATE log SET link = ''",
    "UPDATE log SET link = '/a' || char(10) || 'b'",
    "UPDATE log SET link = '/a/../b'",
    "UPDATE log SET body = 'not json'",
    "UPDATE log SET body = '[1]'",
    `UPDATE log SET body = '{"a":1},"/things/b":{}'`,
    `UPDATE log SET body = '${'{"a":'.repeat(300)}1${"}".repeat(300)}'`,
    "UPDATE log SET time = 9007199254740991",
    "UPDATE log SET version = 9007199254740991",
    "UPDATE log SET kind = hex(zeroblob(600))",
    "UPDATE log SET owner = hex(zeroblob(600))",
  ]) {
    copyFileSync(join(fixture.root, "dir", base.name), scratch);
    const db = new Database(scratch);
    db.exec(statement);
    db.close();
    const bytes = readFileSync(scratch);
    const claim = {
      ...base,
      path: scratch,
      sizeBytes: bytes.length,
      sha256: digestFile(scratch, () => {}),
    };
    checkDigest(claim, () => {});
    expect(() => checkRows(claim, () => {})).toThrow(
      expect.objectContaining({ code: "DATA_LOSS" }) as Error,
    );
  }
  copyFileSync(join(fixture.root, "dir", base.name), scratch);
  writeFileSync(`${scratch}-wal`, "x");
  expect(() => checkRows({ ...base, path: scratch }, () => {})).toThrow(/-wal/);
});

test("rejects a newer format before any change, in a backup and in the data directory", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", {});
  await fixture.backup("dir");
  const { createHash } = await import("node:crypto");
  const path = join(fixture.root, "newer");
  cpSync(join(fixture.root, "dir"), path, { recursive: true });
  const old = readdirSync(path).find((name) => name.startsWith("manifest")) ?? "";
  const text = readFileSync(join(path, old), "utf8").replace(
    /"formatVersion":\s*1/,
    `"formatVersion": ${formatVersion + 1}`,
  );
  rmSync(join(path, old));
  writeFileSync(
    join(
      path,
      `manifest-0000000001-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.json`,
    ),
    text,
  );
  await expect(fixture.restore("newer")).rejects.toMatchObject({ reason: "FORMAT_TOO_NEW" });
  await expect(fixture.backup("newer")).rejects.toMatchObject({ reason: "FORMAT_TOO_NEW" });
  expect(await fixture.contents()).toEqual({ a: "{}" });
  await fixture.stop();
  const index = join(fixture.root, "data", "document-index");
  const generation = readdirSync(index).find((name) => name.startsWith("generation-")) ?? "";
  const db = new Database(join(index, generation, "index.sqlite"));
  db.exec("UPDATE meta SET value = '2' WHERE key = 'format_version'");
  db.close();
  await expect(fixture.restart()).rejects.toMatchObject({ reason: "FORMAT_TOO_NEW" });
});
