import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { DocumentVersion } from "../../src/document/document.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools, run } from "../support/tools.js";

// A host is started for each comparison: on a busy machine that adds up.
jest.setTimeout(180_000);

const script = resolve("test/interop/restore-by-hand.sh");
const able = haveTools("restoring by hand", "sh", "sqlite3", "unzip", "sha256sum");

async function byHand(
  backup: string,
  targetMicros?: number,
  ...options: string[]
): Promise<string[]> {
  const { code, stdout, stderr } = await run("sh", [
    script,
    ...options,
    backup,
    ...(targetMicros === undefined ? [] : [String(targetMicros)]),
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").slice(0, -1);
}

const refusal = async (...args: string[]) => {
  const { code, stdout, stderr } = await run("sh", [script, ...args]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  return stderr;
};

/** What Holdfast makes of the same backup, in a host of its own, in the lines that the script writes. */
async function byHoldfast(
  backup: string,
  targetMicros?: number,
): Promise<{ documents: string[]; versions: string[] }> {
  const other = await hostFixture();
  const source = `file:${backup}`;
  await other.restore("", {
    source,
    ...(targetMicros !== undefined && { targetTimeMicros: BigInt(targetMicros) }),
  });
  const { documents } = await other.host.documents.list({
    factoryPath,
    expand: true,
    limit: 10_000,
  });
  const links = new Set(
    (await byHand(backup, targetMicros, "-a")).map((line) => String(JSON.parse(line).link)),
  );
  const versions: DocumentVersion[] = [];
  for (const link of links) versions.push(...(await other.host.documents.listVersions(link, 1000)));
  const { versions: count } = await other.host.management
    .host()
    .then(({ indexes }) => indexes[0] ?? { versions: -1 });
  expect(versions).toHaveLength(count);
  await other.stop();
  const line = (
    { link, version, updateTimeMicros, action, body }: DocumentVersion,
    withAction: boolean,
  ) =>
    `{"link":${JSON.stringify(link)},"version":${version},"time":${updateTimeMicros},${withAction ? `"action":"${action}",` : ""}"body":${body}}`;
  return {
    documents: documents.map((one) => line(one, false)).sort(),
    versions: versions.map((one) => line(one, true)).sort(),
  };
}

/** The script and Holdfast make the same of a backup: the documents, and every version of each. */
async function agreeOn(backup: string, targetMicros?: number): Promise<string[]> {
  const lines = await byHand(backup, targetMicros);
  const { documents, versions } = await byHoldfast(backup, targetMicros);
  expect([...lines].sort()).toEqual(documents);
  expect((await byHand(backup, targetMicros, "-a")).sort()).toEqual(versions);
  return lines;
}

const path = (fixture: HostFixture, name: string) => join(fixture.root, name);

async function create(fixture: HostFixture, name: string, body: string): Promise<void> {
  await fixture.host.documents.create(
    factoryPath,
    `{"documentSelfLink":${JSON.stringify(name)},${body.slice(1)}`,
  );
}

/** Waits until the sweep has left as many versions as are retained. */
async function swept(fixture: HostFixture, versions: number): Promise<void> {
  const end = Date.now() + 20_000;
  for (;;) {
    const index = (await fixture.host.management.host()).indexes.find(({ inMemory }) => !inMemory);
    if (index?.versions === versions) return;
    if (Date.now() > end) throw new Error(`${index?.versions} versions are there, not ${versions}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

(able ? describe : describe.skip)("restoring by hand", () => {
  test("a full backup, text for text: numbers that no double holds, every kind of character, deleted documents", async () => {
    const fixture = await hostFixture();
    await create(
      fixture,
      "numbers",
      '{"exact":9007199254740993,"price":1.10,"huge":1e400,"zero":-0}',
    );
    await create(
      fixture,
      "texts",
      JSON.stringify({ quotes: `'"\\ | \n\t`, more: "Grüße 東京 🎌 \u2028 \u0000 \u007f" }),
    );
    await create(fixture, "it's, a |name/東京", '{"deep":{"list":[[],{},[null,true]]}}');
    await create(fixture, "gone", '{"x":1}');
    await fixture.host.documents.delete(`${factoryPath}/gone`);
    await fixture.backup("full");
    const lines = await agreeOn(path(fixture, "full"));
    expect(lines).toHaveLength(3);
    expect(lines.join("\n")).toContain(
      '"body":{"exact":9007199254740993,"price":1.10,"huge":1e400,"zero":-0}',
    );
    await fixture.backup("full.zip", { container: "ZIP" });
    expect(await agreeOn(path(fixture, "full.zip"))).toEqual(lines);
  });

  test("an empty index", async () => {
    const fixture = await hostFixture();
    await fixture.backup("empty");
    expect(await agreeOn(path(fixture, "empty"))).toEqual([]);
  });

  test("a chain of deltas, to its end and to each point in time", async () => {
    const fixture = await hostFixture();
    const moments: number[] = [];
    for (let i = 0; i < 200; i += 1) await fixture.put(`d${i}`, { i, text: "x".repeat(3000) });
    await fixture.backup("chain");
    for (let round = 0; round < 4; round += 1) {
      moments.push(await fixture.put(`d${round}`, { round }));
      await fixture.host.documents.delete(`${factoryPath}/d${10 + round}`);
      moments.push(await fixture.put(`new${round}`, { round }));
      if (round === 3) moments.push(await fixture.put("d10", { back: true }));
      await fixture.backup("chain");
    }
    const chain = path(fixture, "chain");
    expect(readdirSync(chain).filter((name) => name.startsWith("delta-"))).toHaveLength(4);
    const sizes: number[] = [];
    for (const moment of moments) sizes.push((await agreeOn(chain, moment)).length);
    expect(sizes).toEqual([...moments.slice(1).map(() => 200), 201]);
    expect(await agreeOn(chain)).toHaveLength(201);
    // Between two changes, and just before one.
    expect(
      (await byHand(chain, (moments[1] ?? 0) - 1)).some((line) => line.includes("/new0")),
    ).toBe(false);
    const [earliest] = /\d{16}/.exec(await refusal(chain, "1")) ?? [];
    expect(await agreeOn(chain, Number(earliest))).toHaveLength(1);
    expect(await refusal(chain, "9999999999999999")).toMatch(
      /can be restored to any time from \d+ to \d+, not to 9999999999999999/,
    );
    expect(await refusal(chain, "yesterday")).toContain("whole number of microseconds");
  });

  test("prunes of a base and of later deltas, also before what was written after them", async () => {
    const fixture = await hostFixture({ retainedVersions: 2, historyMs: 0 });
    const ballast = 100;
    for (let i = 0; i < ballast; i += 1) await fixture.put(`b${i}`, { text: "x".repeat(3000) });
    for (let turn = 0; turn < 5; turn += 1) await fixture.put("often", { turn });
    await swept(fixture, ballast + 2);
    await fixture.backup("pruned");
    for (let turn = 5; turn < 9; turn += 1) await fixture.put("often", { turn });
    for (let turn = 0; turn < 6; turn += 1) await fixture.put("later", { turn });
    await swept(fixture, ballast + 4);
    await fixture.backup("pruned");
    await fixture.put("often", { turn: 9 });
    await fixture.backup("pruned");
    const pruned = path(fixture, "pruned");
    expect(readdirSync(pruned).filter((name) => name.endsWith(".sqlite"))).toHaveLength(3);
    const lines = await agreeOn(pruned);
    expect(lines.find((line) => line.includes("/often"))).toContain('"version":9');
    const manifest = JSON.parse(
      readFileSync(
        join(
          pruned,
          readdirSync(pruned)
            .filter((name) => name.startsWith("manifest-"))
            .at(-1) ?? "",
        ),
        "utf8",
      ),
    );
    const { earliestMicros } = manifest.window as { earliestMicros: string };
    expect(await agreeOn(pruned, Number(earliestMicros))).toHaveLength(ballast + 2);
    expect(await refusal(pruned, String(Number(earliestMicros) - 1))).toContain("not to");
  });

  test("what is damaged or no backup is refused, and nothing is written", async () => {
    const fixture = await hostFixture();
    await fixture.put("one", { text: "some text" });
    await fixture.backup("whole");
    const whole = path(fixture, "whole");
    const [base = "", manifest = ""] = readdirSync(whole);
    const copy = (change: (directory: string) => void) => {
      const directory = join(temporaryDirectory(), "copy");
      cpSync(whole, directory, { recursive: true });
      change(directory);
      return directory;
    };
    const damaged = copy((directory) => {
      const bytes = readFileSync(join(directory, base));
      bytes[bytes.indexOf("some text")] = 0x53;
      writeFileSync(join(directory, base), bytes);
    });
    expect(await refusal(damaged)).toContain("does not agree with its digest");
    expect(
      await refusal(copy((directory) => appendFileSync(join(directory, base), "x"))),
    ).toContain("has not");
    expect(await refusal(copy((directory) => rmSync(join(directory, base))))).toContain(
      "is missing",
    );
    expect(
      await refusal(copy((directory) => appendFileSync(join(directory, manifest), " "))),
    ).toContain("does not agree with its name");
    expect(await refusal(copy((directory) => rmSync(join(directory, manifest))))).toContain(
      "there is no manifest",
    );
    expect(await refusal(path(fixture, "nothing-there"))).toContain("there is no manifest");
    expect(await refusal()).toContain("usage");
  });
});

(able && haveTools("packing by hand", "zip") ? describe : describe.skip)("packing by hand", () => {
  test("a directory that was zipped with its folder, and a ZIP that was unpacked, restore in both ways", async () => {
    const fixture = await hostFixture();
    for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, text: "x".repeat(200) });
    await fixture.backup("folder");
    const moment = await fixture.put("d0", { changed: true });
    await fixture.put("d0", { changed: "again" });
    await fixture.backup("folder");
    await fixture.backup("one.zip", { container: "ZIP" });
    const { root } = fixture;

    expect((await run("zip", ["-q", "-r", "zipped.zip", "folder"], { cwd: root })).code).toBe(0);
    expect(
      (await run("zip", ["-q", "-r", "../flat.zip", "."], { cwd: join(root, "folder") })).code,
    ).toBe(0);
    expect((await run("unzip", ["-q", "one.zip", "-d", "unpacked"], { cwd: root })).code).toBe(0);
    const expected = await agreeOn(path(fixture, "folder"));
    for (const name of ["zipped.zip", "flat.zip", "unpacked"]) {
      expect(await agreeOn(path(fixture, name))).toEqual(expected);
      expect(
        (await agreeOn(path(fixture, name), moment)).find((line) => line.includes("/d0")),
      ).toContain('{"changed":true}');
    }
    // A directory made of an unpacked ZIP is one that further backups go on from.
    await fixture.put("d1", { changed: true });
    const { segmentsWritten } = await fixture.backup("unpacked");
    expect(segmentsWritten).toBe(1);
    expect(
      (await agreeOn(path(fixture, "unpacked"))).find((line) => line.includes("/d1")),
    ).toContain('{"changed":true}');
  });

  test("files beside a backup do no harm", async () => {
    const fixture = await hostFixture();
    await fixture.put("one", { x: 1 });
    await fixture.backup("backup");
    const backup = path(fixture, "backup");
    mkdirSync(join(backup, "folder"));
    writeFileSync(join(backup, "notes.txt"), "mine");
    const [base = ""] = readdirSync(backup);
    copyFileSync(join(backup, base), join(backup, "base-copy.sqlite"));
    renameSync(join(backup, "base-copy.sqlite"), join(backup, "folder", "base-copy.sqlite"));
    expect(await agreeOn(backup)).toHaveLength(1);
  });
});
