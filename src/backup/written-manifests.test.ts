import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { limits } from "../limits.js";
import { systemPlatform } from "../io/platform.js";
import { openWrittenManifests } from "./written-manifests.js";

const lastRecord = { timeMicros: 5, link: "/a/b", version: 0, crc: 7 };

const open = (path: string, onError: (error: unknown) => void = () => {}) =>
  openWrittenManifests(systemPlatform, path, onError);

test("remembers manifests, with or without their last row, across restarts", async () => {
  const path = join(temporaryDirectory(), "written.json");
  const written = await open(path);
  await written.add("file:///b", { sha256: "a", lastRecord });
  await written.add("file:///b", { sha256: "b", lastRecord: undefined });
  const again = await open(path);
  expect(again.find("a")).toEqual({ sha256: "a", lastRecord });
  expect(again.find("b")).toEqual({ sha256: "b" });
  expect(again.find("c")).toBeUndefined();
});

test("reads the digests that earlier versions stored", async () => {
  const path = join(temporaryDirectory(), "written.json");
  writeFileSync(path, JSON.stringify([["file:///b", ["a", "b"]]]));
  const written = await open(path, fail);
  expect(written.find("b")).toEqual({ sha256: "b" });
  await written.add("file:///b", { sha256: "c", lastRecord });
  const again = await open(path, fail);
  for (const sha256 of ["a", "b", "c"]) expect(again.find(sha256)).toMatchObject({ sha256 });
});

test.each<[string, unknown[]]>([
  ["a number", [7]],
  ["an entry without a digest", [{ lastRecord }]],
  ["a last row that is text", [{ sha256: "a", lastRecord: "row" }]],
  ["a last row without a time", [{ sha256: "a", lastRecord: { ...lastRecord, timeMicros: null } }]],
  [
    "a last row without a link",
    [{ sha256: "a", lastRecord: { timeMicros: 5, version: 0, crc: 7 } }],
  ],
])("forgets a destination with %s, and keeps others", async (_what, entries) => {
  const path = join(temporaryDirectory(), "written.json");
  writeFileSync(
    path,
    JSON.stringify([
      ["file:///b", entries],
      ["file:///c", ["c"]],
    ]),
  );
  const written = await open(path);
  expect(written.find("a")).toBeUndefined();
  expect(written.find("c")).toEqual({ sha256: "c" });
});

test("a full record with the longest links is read again", async () => {
  const path = join(temporaryDirectory(), "written.json");
  const longLink = "/".padEnd(limits.selfLinkBytes, "x");
  const entry = (i: number) => ({
    sha256: String(i).padStart(64, "0"),
    lastRecord: { ...lastRecord, link: longLink },
  });
  const full = Array.from({ length: limits.writtenDestinations }, (_, i) => [
    `file:///${"d".repeat(200)}${i}`,
    Array.from({ length: limits.writtenManifests }, (_unused, j) => entry(i * 10 + j)),
  ]);
  writeFileSync(path, JSON.stringify(full));
  expect(readFileSync(path).length).toBeGreaterThan(8 << 20);
  const written = await open(path, fail);
  expect(written.find(entry(15).sha256)).toMatchObject({ lastRecord: { link: longLink } });
});

function fail(error: unknown): never {
  throw error;
}
