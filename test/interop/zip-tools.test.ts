import { join } from "node:path";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { haveTools, run } from "../support/tools.js";

/** ZIPs of Holdfast read by other tools: compressed and stored, with one segment and an empty one. */
async function zips(): Promise<{ fixture: HostFixture; paths: string[] }> {
  const fixture = await hostFixture();
  await fixture.backup("empty.zip", { container: "ZIP" });
  for (let i = 0; i < 300; i += 1)
    await fixture.put(`d${i}`, { i, text: `${"lorem ipsum ".repeat(40)}${i}` });
  await fixture.backup("deflated.zip", { container: "ZIP" });
  await fixture.backup("stored.zip", { container: "ZIP", store: true });
  return {
    fixture,
    paths: ["empty.zip", "deflated.zip", "stored.zip"].map((name) => join(fixture.root, name)),
  };
}

(haveTools("unzip -t on our ZIPs", "unzip") ? test : test.skip)(
  "unzip accepts the archive",
  async () => {
    const { paths } = await zips();
    for (const path of paths) {
      const { code, stdout } = await run("unzip", ["-t", path]);
      expect(stdout).toContain("No errors detected in compressed data");
      expect(code).toBe(0);
    }
  },
);

const listing = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    print(json.dumps({"bad": archive.testzip(), "entries": [[one.filename, one.compress_type, one.date_time, one.external_attr >> 16] for one in archive.infolist()]}))
`;

(haveTools("Python's zipfile on our ZIPs", "python3") ? test : test.skip)(
  "zipfile of Python accepts the archive, with the manifest last",
  async () => {
    const { paths } = await zips();
    const methods: number[] = [];
    for (const path of paths) {
      const { code, stdout, stderr } = await run("python3", ["-c", listing, path]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { bad, entries } = JSON.parse(stdout) as {
        bad: string | null;
        entries: [name: string, method: number, date: number[], mode: number][];
      };
      expect(bad).toBeNull();
      expect(entries.map(([name]) => name)).toEqual([
        expect.stringMatching(/^base-0-\d+-[0-9a-f]{16}\.sqlite$/),
        expect.stringMatching(/^manifest-0000000001-[0-9a-f]{16}\.json$/),
      ]);
      for (const [, , date, mode] of entries) {
        expect(date[0]).toBe(new Date().getUTCFullYear());
        expect(mode & 0o777).toBe(0o644);
      }
      methods.push(entries[0]?.[1] ?? -1);
    }
    expect(methods).toEqual([8, 8, 0]);
  },
);
