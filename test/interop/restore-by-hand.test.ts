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
import { generateIdentity } from "../../src/encryption/identities.js";
import type { DocumentVersion } from "../../src/document/document.js";
import { eventually } from "../support/eventually.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools, run } from "../support/tools.js";

// Every comparison starts a host, which takes time on a busy machine.
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

const withIdentity = (path?: string) => (path === undefined ? [] : ["-i", path]);

/** The documents of the same backup restored by another host, as lines in the format of the script. */
async function byHoldfast(
  backup: string,
  targetMicros?: number,
  identity?: string,
): Promise<{ documents: string[]; versions: string[] }> {
  const other = await hostFixture();
  const source = `file:${backup}`;
  await other.restore("", {
    source,
    ...(targetMicros !== undefined && { targetTimeMicros: BigInt(targetMicros) }),
    ...(identity !== undefined && {
      decryptWith: { identities: readFileSync(identity, "utf8"), passphrase: "" },
    }),
  });
  const { documents } = await other.host.documents.list({
    factoryPath,
    expand: true,
    limit: 10_000,
  });
  const links = new Set(
    (await byHand(backup, targetMicros, "-a", ...withIdentity(identity))).map((line) =>
      String(JSON.parse(line).link),
    ),
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

/** Compares the script with Holdfast: the documents, and all versions of each. */
async function restoreBothWays(
  backup: string,
  targetMicros?: number,
  identity?: string,
): Promise<string[]> {
  const options = withIdentity(identity);
  const lines = await byHand(backup, targetMicros, ...options);
  const { documents, versions } = await byHoldfast(backup, targetMicros, identity);
  expect([...lines].sort()).toEqual(documents);
  expect((await byHand(backup, targetMicros, "-a", ...options)).sort()).toEqual(versions);
  return lines;
}

const path = (fixture: HostFixture, name: string) => join(fixture.root, name);

async function create(fixture: HostFixture, name: string, body: string): Promise<void> {
  await fixture.host.documents.create(
    factoryPath,
    `{"documentSelfLink":${JSON.stringify(name)},${body.slice(1)}`,
  );
}

/** Waits until the sweep has compacted all but the retained versions. */
async function swept(fixture: HostFixture, versions: number): Promise<void> {
  let found: number | undefined;
  await eventually(
    async () => {
      const { indexes } = await fixture.host.management.host();
      found = indexes.find(({ inMemory }) => !inMemory)?.versions;
      return found === versions;
    },
    { state: () => found },
  );
}

(able ? describe : describe.skip)("restoring by hand", () => {
  test("restores a full backup text for text: numbers beyond a double, every kind of character, deleted documents", async () => {
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
    const lines = await restoreBothWays(path(fixture, "full"));
    expect(lines).toHaveLength(3);
    expect(lines.join("\n")).toContain(
      '"body":{"exact":9007199254740993,"price":1.10,"huge":1e400,"zero":-0}',
    );
    await fixture.backup("full.zip", { container: "ZIP" });
    expect(await restoreBothWays(path(fixture, "full.zip"))).toEqual(lines);
  });

  test("restores an empty index", async () => {
    const fixture = await hostFixture();
    await fixture.backup("empty");
    expect(await restoreBothWays(path(fixture, "empty"))).toEqual([]);
  });

  test("restores a chain of deltas to its end and to each point in time", async () => {
    const fixture = await hostFixture();
    const times: number[] = [];
    for (let i = 0; i < 200; i += 1) await fixture.put(`d${i}`, { i, text: "x".repeat(3000) });
    await fixture.backup("chain");
    for (let round = 0; round < 4; round += 1) {
      times.push(await fixture.put(`d${round}`, { round }));
      await fixture.host.documents.delete(`${factoryPath}/d${10 + round}`);
      times.push(await fixture.put(`new${round}`, { round }));
      if (round === 3) times.push(await fixture.put("d10", { back: true }));
      await fixture.backup("chain");
    }
    const chain = path(fixture, "chain");
    expect(readdirSync(chain).filter((name) => name.startsWith("delta-"))).toHaveLength(4);
    const sizes: number[] = [];
    for (const time of times) sizes.push((await restoreBothWays(chain, time)).length);
    expect(sizes).toEqual([...times.slice(1).map(() => 200), 201]);
    expect(await restoreBothWays(chain)).toHaveLength(201);
    // Between two changes, and just before one.
    expect((await byHand(chain, (times[1] ?? 0) - 1)).some((line) => line.includes("/new0"))).toBe(
      false,
    );
    const [earliest] = /\d{16}/.exec(await refusal(chain, "1")) ?? [];
    expect(await restoreBothWays(chain, Number(earliest))).toHaveLength(1);
    expect(await refusal(chain, "9999999999999999")).toMatch(
      /can be restored to any time from \d+ to \d+, not to 9999999999999999/,
    );
    expect(await refusal(chain, "yesterday")).toContain("whole number of microseconds");
  });

  test("restores compactions of a base and of later deltas, also before later writes", async () => {
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
    const lines = await restoreBothWays(pruned);
    expect(lines.find((line) => line.includes("/often"))).toContain('"version":9');
    const manifest = JSON.parse(
      readFileSync(
        join(
          pruned,
          readdirSync(pruned)
            .filter((name) => /^manifest-.*\.json$/.test(name))
            .at(-1) ?? "",
        ),
        "utf8",
      ),
    );
    const { earliestMicros } = manifest.window as { earliestMicros: string };
    expect(await restoreBothWays(pruned, Number(earliestMicros))).toHaveLength(ballast + 2);
    expect(await refusal(pruned, String(Number(earliestMicros) - 1))).toContain("not to");
  });

  test("rejects damaged and foreign backups and writes nothing", async () => {
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
  test("a zipped directory and an unpacked ZIP restore in both ways", async () => {
    const fixture = await hostFixture();
    for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, text: "x".repeat(200) });
    await fixture.backup("folder");
    const time = await fixture.put("d0", { changed: true });
    await fixture.put("d0", { changed: "again" });
    await fixture.backup("folder");
    await fixture.backup("one.zip", { container: "ZIP" });
    const { root } = fixture;

    expect((await run("zip", ["-q", "-r", "zipped.zip", "folder"], { cwd: root })).code).toBe(0);
    expect(
      (await run("zip", ["-q", "-r", "../flat.zip", "."], { cwd: join(root, "folder") })).code,
    ).toBe(0);
    expect((await run("unzip", ["-q", "one.zip", "-d", "unpacked"], { cwd: root })).code).toBe(0);
    const expected = await restoreBothWays(path(fixture, "folder"));
    for (const name of ["zipped.zip", "flat.zip", "unpacked"]) {
      expect(await restoreBothWays(path(fixture, name))).toEqual(expected);
      expect(
        (await restoreBothWays(path(fixture, name), time)).find((line) => line.includes("/d0")),
      ).toContain('{"changed":true}');
    }
    // Further backups extend a directory made of an unpacked ZIP.
    await fixture.put("d1", { changed: true });
    const { segmentsWritten } = await fixture.backup("unpacked");
    expect(segmentsWritten).toBe(1);
    expect(
      (await restoreBothWays(path(fixture, "unpacked"))).find((line) => line.includes("/d1")),
    ).toContain('{"changed":true}');
  });

  test("ignores files beside a backup", async () => {
    const fixture = await hostFixture();
    await fixture.put("one", { x: 1 });
    await fixture.backup("backup");
    const backup = path(fixture, "backup");
    mkdirSync(join(backup, "folder"));
    writeFileSync(join(backup, "notes.txt"), "mine");
    const [base = ""] = readdirSync(backup);
    copyFileSync(join(backup, base), join(backup, "base-copy.sqlite"));
    renameSync(join(backup, "base-copy.sqlite"), join(backup, "folder", "base-copy.sqlite"));
    expect(await restoreBothWays(backup)).toHaveLength(1);
  });
});

(able && haveTools("restoring encrypted backups by hand", "age", "gunzip", "zstd")
  ? describe
  : describe.skip)("restoring stored forms by hand", () => {
  test("restores compressed, encrypted and mixed chains, and encrypted archives", async () => {
    const fixture = await hostFixture();
    const { recipient, identityFile } = await generateIdentity({ createdMs: 0 });
    const identity = path(fixture, "identity.txt");
    writeFileSync(identity, identityFile);
    const encryption = { encryptTo: { recipients: [recipient] }, keepChain: true };
    await fixture.put("d0", { text: "x".repeat(300_000) });
    await fixture.backup("compressed", { compression: "gzip" });
    await fixture.backup("encrypted", { encryption });
    await fixture.backup("both", { encryption, compression: "gzip" });
    await fixture.backup("mixed");
    const time = await fixture.put("d1", { first: true });
    await fixture.backup("mixed", { compression: "gzip" });
    await fixture.put("d1", { second: true });
    for (const name of ["compressed", "both"])
      await fixture.backup(name, { compression: "gzip", ...(name === "both" && { encryption }) });
    await fixture.backup("encrypted", { encryption });
    await fixture.backup("mixed", { encryption, compression: "gzip" });
    await fixture.backup("b.zip", { container: "ZIP", encryption });
    expect(readdirSync(path(fixture, "mixed")).join()).toMatch(
      /sqlite,.*sqlite\.gz,.*sqlite\.gz\.age/,
    );

    const expected = await restoreBothWays(path(fixture, "compressed"));
    expect(expected).toHaveLength(2);
    for (const name of ["encrypted", "both", "mixed", "b.zip"]) {
      const backup = path(fixture, name);
      expect(await restoreBothWays(backup, undefined, identity)).toEqual(expected);
      const then = await restoreBothWays(backup, time, identity);
      expect(then.join()).toContain('{"first":true}');
      expect(await refusal(backup)).toContain("is encrypted: name an identity file with -i");
    }
  });

  test("restores the golden backups of format 2, of which a segment is compressed with zstd", async () => {
    const golden = resolve("test/golden/v2");
    const identity = join(golden, "identity.txt");
    const [directory, archive] = [
      await byHand(join(golden, "directory"), undefined, "-i", identity),
      await byHand(join(golden, "archive.zip"), undefined, "-i", identity),
    ];
    expect(directory).toHaveLength(42);
    expect(archive).toEqual(directory);
  });
});
