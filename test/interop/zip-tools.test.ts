import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/limits.js";
import { hostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools, installedTool, run } from "../support/tools.js";

/**
 * ZIPs of Holdfast read by other tools: of an empty index, compressed in one block, stored, and
 * compressed in more blocks than are in flight.
 */
const names = ["empty.zip", "deflated.zip", "stored.zip", "blocks.zip"];
let paths: string[] = [];

beforeAll(async () => {
  const fixture = await hostFixture({}, temporaryDirectory(), true);
  await fixture.backup("empty.zip", { container: "ZIP" });
  for (let i = 0; i < 300; i += 1)
    await fixture.put(`d${i}`, { i, text: `${"lorem ipsum ".repeat(40)}${i}` });
  await fixture.backup("deflated.zip", { container: "ZIP" });
  await fixture.backup("stored.zip", { container: "ZIP", store: true });
  for (let i = 0; i < 60; i += 1)
    await fixture.put(`large${i}`, {
      i,
      text: `${"lorem ipsum ".repeat(5000)}${randomBytes(25_000).toString("hex")}`,
    });
  const { backup } = await fixture.backup("blocks.zip", { container: "ZIP" });
  expect(backup.sizeBytes).toBeGreaterThan((limits.deflatingBlocks + 1) * limits.deflateBlockBytes);
  paths = names.map((name) => join(fixture.root, name));
});

/** Checks the digests of the entries of an archive, which are parts of their names; the manifest is the last one. */
function expectContents(entries: { name: string; sha256: string }[]): void {
  expect(entries.map(({ name }) => name)).toEqual([
    expect.stringMatching(/^base-0-\d+-[0-9a-f]{16}\.sqlite$/),
    expect.stringMatching(/^manifest-0000000001-[0-9a-f]{16}\.json\.sig$/),
    expect.stringMatching(/^manifest-0000000001-[0-9a-f]{16}\.json$/),
  ]);
  for (const { name, sha256 } of entries)
    if (!name.endsWith(".sig"))
      expect(/([0-9a-f]{16})\.\w+$/.exec(name)?.[1]).toBe(sha256.slice(0, 16));
}

(haveTools("unzip -t on our ZIPs", "unzip") ? test : test.skip)(
  "unzip accepts the archive",
  async () => {
    for (const path of paths) {
      const { code, stdout } = await run("unzip", ["-t", path]);
      expect(stdout).toContain("No errors detected in compressed data");
      expect(code).toBe(0);
    }
  },
);

const listing = `
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    print(json.dumps({"bad": archive.testzip(), "entries": [[one.filename, one.compress_type, one.date_time, one.external_attr >> 16, hashlib.sha256(archive.read(one)).hexdigest()] for one in archive.infolist()]}))
`;

(haveTools("Python's zipfile on our ZIPs", "python3") ? test : test.skip)(
  "zipfile of Python reads the archive, with the manifest last",
  async () => {
    const methods: number[] = [];
    for (const path of paths) {
      const { code, stdout, stderr } = await run("python3", ["-c", listing, path]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { bad, entries } = JSON.parse(stdout) as {
        bad: string | null;
        entries: [name: string, method: number, date: number[], mode: number, sha256: string][];
      };
      expect(bad).toBeNull();
      expectContents(entries.map(([name, , , , sha256]) => ({ name, sha256 })));
      for (const [, , date, mode] of entries) {
        expect(date[0]).toBe(new Date().getUTCFullYear());
        expect(mode & 0o777).toBe(0o644);
      }
      methods.push(entries[0]?.[1] ?? -1);
    }
    expect(methods).toEqual([8, 8, 0, 8]);
  },
);

(haveTools("Java's java.util.zip on our ZIPs", "java") ? test : test.skip)(
  "ZipFile of Java reads the archive, and ZipInputStream reads it if it is compressed",
  async () => {
    for (const [i, path] of paths.entries()) {
      // ZipInputStream rejects stored entries whose sizes follow their data.
      const readers = names[i] === "stored.zip" ? ["ZipFile"] : ["ZipFile", "ZipInputStream"];
      const program = join(__dirname, "ReadZip.java");
      const { code, stdout, stderr } = await run("java", [program, path, ...readers]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const entries = stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ") as [reader: string, name: string, sha256: string]);
      for (const reader of readers)
        expectContents(
          entries.filter(([by]) => by === reader).map(([, name, sha256]) => ({ name, sha256 })),
        );
    }
  },
);

const sevenZip = installedTool("7-Zip on our ZIPs", "7z", "7za", "7zz");
(sevenZip === undefined ? test.skip : test)("7-Zip unpacks the archive", async () => {
  for (const path of paths) {
    const target = temporaryDirectory();
    const { code, stdout } = await run(sevenZip ?? "", ["x", `-o${target}`, path]);
    expect(stdout).toContain("Everything is Ok");
    expect(code).toBe(0);
    // A directory has no order of its own: that of the archive.
    const [base, manifest, signature, ...others] = readdirSync(target).sort();
    expectContents(
      [base ?? "", signature ?? "", manifest ?? "", ...others].map((name) => ({
        name,
        sha256: createHash("sha256")
          .update(readFileSync(join(target, name)))
          .digest("hex"),
      })),
    );
  }
});
