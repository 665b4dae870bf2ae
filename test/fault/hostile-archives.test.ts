import {
  copyFileSync,
  createWriteStream,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";
import { hostFixture } from "../support/host-fixture.js";
import { makeZip } from "../support/make-zip.js";

/** Malicious archives and paths. */
interface Entry {
  name: string;
  content?: Buffer;
  linkTo?: string;
}

async function writeZip(path: string, entries: Entry[]): Promise<void> {
  const archive = new ZipArchive({ store: true });
  for (const { name, content, linkTo } of entries) {
    if (linkTo !== undefined) archive.symlink(name, linkTo);
    else archive.append(content ?? Buffer.from("x"), { name });
  }
  await Promise.all([archive.finalize(), pipeline(archive, createWriteStream(path))]);
}

/** Replaces a name by one of the same length, in the central directory and in the local header. */
function rename(path: string, from: string, to: string): void {
  expect(to).toHaveLength(from.length);
  const bytes = readFileSync(path).toString("latin1").replaceAll(from, to);
  writeFileSync(path, Buffer.from(bytes, "latin1"));
}

async function backupEntries() {
  const fixture = await hostFixture();
  await fixture.put("a", { kept: true });
  await fixture.backup("dir");
  const directory = join(fixture.root, "dir");
  const entries: Entry[] = readdirSync(directory).map((name) => ({
    name,
    content: readFileSync(join(directory, name)),
  }));
  const refuse = async (reason: string) => {
    await expect(fixture.restore("evil.zip")).rejects.toMatchObject({ reason });
    expect(await fixture.contents()).toEqual({ a: '{"kept":true}' });
    expect(readdirSync(join(fixture.root, "data", "temporary"))).toEqual([]);
  };
  return { fixture, entries, refuse, path: join(fixture.root, "evil.zip") };
}

test.each([
  ["with a path to a parent directory", "aa/aa/evil", "../../evil"],
  ["with an absolute path", "aabs/evil", "/abs/evil"],
  ["with a drive", "aaaevil.txt", "C:\\evil.txt"],
  ["with backslashes", "aa-aa-evil", "..\\..\\evil"],
])("rejects an entry %s", async (_name, harmless, name) => {
  const { entries, refuse, path } = await backupEntries();
  const from = harmless.slice(0, name.length).padEnd(name.length, "z");
  await writeZip(path, [...entries, { name: from }]);
  rename(path, from, name);
  await refuse("BACKUP_FOREIGN");
});

test("rejects links, duplicate names and two folders with manifests", async () => {
  const { entries, refuse, path } = await backupEntries();
  await writeZip(path, [...entries, { name: "link", linkTo: "/etc/passwd" }]);
  await refuse("BACKUP_FOREIGN");
  await writeZip(path, [...entries, { name: "twice" }, { name: "other" }]);
  rename(path, "other", "twice");
  await refuse("BACKUP_FOREIGN");
  await writeZip(path, [
    ...entries.map((entry) => ({ ...entry, name: `one/${entry.name}` })),
    ...entries.map((entry) => ({ ...entry, name: `two/${entry.name}` })),
  ]);
  await refuse("BACKUP_FOREIGN");
});

test("an archive without a backup, one of Xenon and one without a segment have distinct errors", async () => {
  const { entries, refuse, path } = await backupEntries();
  await writeZip(path, [{ name: "holiday.jpg" }]);
  await refuse("BACKUP_FOREIGN");
  await writeZip(path, [{ name: "segments_2" }, { name: "_1.cfs" }]);
  await refuse("BACKUP_FROM_XENON");
  await writeZip(
    path,
    entries.filter(({ name }) => !name.endsWith(".sqlite")),
  );
  await refuse("BACKUP_DAMAGED");
  await writeZip(
    path,
    entries.map((entry) =>
      entry.name.endsWith(".sqlite")
        ? { ...entry, content: Buffer.alloc(64 * 1024 * 1024) }
        : entry,
    ),
  );
  await refuse("BACKUP_DAMAGED");
});

test("restores a zipped backup directory among foreign files", async () => {
  const { fixture, entries, path } = await backupEntries();
  await writeZip(path, [
    ...entries.map((entry) => ({ ...entry, name: `dir/${entry.name}` })),
    { name: "dir/notes.txt" },
  ]);
  await fixture.put("a", { lost: true });
  await fixture.restore("evil.zip");
  expect(await fixture.contents()).toEqual({ a: '{"kept":true}' });
});

describe("an intact archive of another tool", () => {
  const packed = (
    folder: string,
    entries: Entry[],
    claims: { flags?: number; method?: number } = {},
  ) =>
    makeZip(
      entries.map(({ name, content = Buffer.alloc(0) }) => ({
        name: `${folder}${name}`,
        data: content,
        claims,
      })),
    );
  /** The last two bytes contain the length of the comment that follows. */
  const commented = (archive: Buffer, comment: string) =>
    Buffer.concat([
      archive.subarray(0, -2),
      Buffer.from([comment.length & 0xff, comment.length >> 8]),
      Buffer.from(comment),
    ]);

  const readable: [string, (entries: Entry[]) => Buffer][] = [
    ["nested in several folders", (entries) => packed("srv/backups/shop/", entries)],
    ["named with backslashes", (entries) => packed("srv\\shop\\", entries)],
    ["followed by a long comment", (entries) => commented(packed("", entries), "x".repeat(5000))],
    [
      "followed by padding",
      (entries) => Buffer.concat([packed("", entries), Buffer.alloc(10_240)]),
    ],
  ];

  test(`restores if ${readable.map(([what]) => what).join(", ")}`, async () => {
    const { fixture, entries, path } = await backupEntries();
    for (const [what, make] of readable) {
      writeFileSync(path, make(entries));
      await fixture.put("a", { lost: what });
      await fixture.restore("evil.zip");
      expect({ what, contents: await fixture.contents() }).toEqual({
        what,
        contents: { a: '{"kept":true}' },
      });
    }
  });

  const otherwise: [string, (entries: Entry[]) => Buffer, string][] = [
    ["encrypted", (entries) => packed("", entries, { flags: 1 }), "is encrypted"],
    ["compressed by bzip2", (entries) => packed("", entries, { method: 12 }), "bzip2"],
    ["compressed by LZMA", (entries) => packed("", entries, { method: 14 }), "LZMA"],
  ];

  test(`is not reported as damaged if ${otherwise.map(([what]) => what).join(", ")}`, async () => {
    const { fixture, entries, path } = await backupEntries();
    for (const [, make, words] of otherwise) {
      writeFileSync(path, make(entries));
      await expect(fixture.restore("evil.zip")).rejects.toMatchObject({
        reason: "BACKUP_FOREIGN",
        message: expect.stringContaining(words) as string,
      });
    }
  });
});

describe("a ZIP backup", () => {
  const zip = { container: "ZIP" } as const;

  const others: [string, (path: string, entries: Entry[]) => Promise<void> | void][] = [
    ["a text file", (path) => writeFileSync(path, "my thesis")],
    ["an archive without a backup", (path) => writeZip(path, [{ name: "holiday.jpg" }])],
    ["a backup of Xenon, or any Lucene index", (path) => writeZip(path, [{ name: "segments_2" }])],
    [
      "a Lucene index among other files",
      (path) => writeZip(path, [{ name: "thesis.docx" }, { name: "solr/data/segments_5" }]),
    ],
    [
      "a file with a manifest's name",
      (path) => writeZip(path, [{ name: "x/manifest-0000000001-0123456789abcdef.json" }]),
    ],
    [
      "a backup beside photos",
      (path, entries) => writeZip(path, [...entries, { name: "holiday.jpg" }]),
    ],
    [
      "a backup in a folder beside photos",
      (path, entries) =>
        writeZip(path, [
          ...entries.map((entry) => ({ ...entry, name: `dir/${entry.name}` })),
          { name: "holiday.jpg" },
        ]),
    ],
    [
      "a backup and a segment that it does not list",
      (path, entries) => writeZip(path, [...entries, { name: "base-0-1-0123456789abcdef.sqlite" }]),
    ],
  ];

  test(`does not replace ${others.map(([what]) => what).join(", ")}`, async () => {
    const { fixture, entries, path } = await backupEntries();
    for (const [what, make] of others) {
      rmSync(path, { force: true });
      await make(path, entries);
      const before = readFileSync(path);
      await expect(fixture.backup("evil.zip", zip)).rejects.toMatchObject({
        reason: "DESTINATION_OCCUPIED",
      });
      expect({ what, unchanged: readFileSync(path).equals(before) }).toEqual({
        what,
        unchanged: true,
      });
    }
  });

  test("replaces an empty file, its predecessor, and a backup of its parent lineage", async () => {
    const { fixture, path } = await backupEntries();
    writeFileSync(path, "");
    expect((await fixture.backup("evil.zip", zip)).backup.number).toBe(1);
    expect(await fixture.backup("evil.zip", zip)).toMatchObject({
      backup: { number: 2 },
      warnings: [],
    });
    await fixture.restore("evil.zip");
    await fixture.backup("evil.zip", zip);
    const child = await hostFixture();
    const other = join(child.root, "copy.zip");
    copyFileSync(path, other);
    await child.restore("copy.zip");
    expect((await child.backup("copy.zip", zip)).backup.number).toBe(4);
  });

  test("does not replace the backup of another index, which may be the only copy", async () => {
    const { fixture, path } = await backupEntries();
    await fixture.backup("evil.zip", zip);
    const fresh = await hostFixture();
    const copy = join(fresh.root, "nightly.zip");
    copyFileSync(path, copy);
    await expect(fresh.backup("nightly.zip", zip)).rejects.toMatchObject({
      reason: "DESTINATION_OCCUPIED",
      message: expect.stringContaining("another index") as string,
    });
    expect(readFileSync(copy).equals(readFileSync(path))).toBe(true);
  });

  test("warns if it replaces many documents by few", async () => {
    const { fixture } = await backupEntries();
    for (let i = 0; i < 5; i += 1) await fixture.put(`d${i}`, {});
    await fixture.backup("shrinking.zip", zip);
    for (let i = 0; i < 5; i += 1) await fixture.host.documents.delete(`/things/d${i}`);
    expect((await fixture.backup("shrinking.zip", zip)).warnings).toEqual([
      expect.stringContaining("had 6 documents; the new one has 1") as string,
    ]);
  });
});

test("leaves foreign files in a backup directory unchanged", async () => {
  const fixture = await hostFixture();
  mkdirSync(join(fixture.root, "dir"));
  writeFileSync(join(fixture.root, "dir", "stray.txt"), "mine");
  writeFileSync(
    join(fixture.root, "dir", "base-1-2-0123456789abcdef.sqlite"),
    "looks like a segment",
  );
  for (let i = 0; i < 3; i += 1) {
    await fixture.put("a", { i });
    await fixture.backup("dir", { full: true });
  }
  expect(readdirSync(join(fixture.root, "dir"))).toHaveLength(5);
  expect(readFileSync(join(fixture.root, "dir", "stray.txt"), "utf8")).toBe("mine");
});

test("with backup roots reads and writes only below them, despite dots and links", async () => {
  const outer = await hostFixture();
  const { root } = outer;
  await outer.stop();
  mkdirSync(join(root, "roots"));
  mkdirSync(join(root, "outside"));
  symlinkSync(join(root, "outside"), join(root, "roots", "way-out"));
  const fixture = await hostFixture({ backupRoots: [join(root, "roots")] }, root);
  await fixture.backup("roots/dir");
  for (const name of [
    "outside/dir",
    "roots/../outside/dir",
    "roots/way-out/dir",
    "roots-not/dir",
    "roots/%2e%2e/outside/dir",
  ]) {
    await expect(
      fixture.finish(
        fixture.host.management.backup({
          destination: `file:${root}/${name}`,
          container: "DIRECTORY",
          indexLink: "/core/document-index",
        }),
      ),
    ).rejects.toMatchObject({ reason: "PATH_OUTSIDE_ROOTS" });
    await expect(
      fixture.host.management.describeBackup(`file:${root}/${name}`),
    ).rejects.toMatchObject({ reason: "PATH_OUTSIDE_ROOTS" });
  }
  expect(readdirSync(join(root, "outside"))).toEqual([]);
});
