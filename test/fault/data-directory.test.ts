import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { systemPlatform } from "../../src/io/platform.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";

function replaceInFile(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

function fieldsOf(text: string): Record<string, unknown> {
  const {
    formatVersion: _format,
    checksum: _checksum,
    ...fields
  } = JSON.parse(text) as Record<string, unknown>;
  return fields;
}

const pointerText = (fields: Record<string, unknown>) =>
  JSON.stringify({
    formatVersion: 2,
    ...fields,
    checksum: createHash("sha256").update(JSON.stringify(fields)).digest("hex").slice(0, 16),
  });

/** A stopped host whose data directory a test damages: a start reports the damage and removes nothing. */
async function stopped(): Promise<{ fixture: HostFixture; index: string; generation: string }> {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.backup("dir");
  await fixture.put("a", { n: 2 });
  await fixture.stop();
  const index = join(fixture.root, "data", "document-index");
  const generation = join(
    index,
    readdirSync(index).find((name) => name.startsWith("generation-")) ?? "",
  );
  return { fixture, index, generation };
}

test.each<[string, (index: string, generation: string) => void]>([
  ["the pointer is garbage", (index) => writeFileSync(join(index, "CURRENT.json"), "{nope")],
  [
    "the pointer has a flipped bit",
    (index) =>
      replaceInFile(join(index, "CURRENT.json"), (text) =>
        text.replace(
          /"generation-(.)/,
          (_all, first: string) => `"generation-${first === "0" ? "1" : "0"}`,
        ),
      ),
  ],
  [
    "the pointer with a valid checksum names a missing generation",
    (index) =>
      replaceInFile(join(index, "CURRENT.json"), (text) =>
        pointerText({ ...fieldsOf(text), current: "generation-0000000000000000" }),
      ),
  ],
  ["the pointer is empty", (index) => writeFileSync(join(index, "CURRENT.json"), "")],
  ["the pointer is missing", (index) => rmSync(join(index, "CURRENT.json"))],
  [
    "the pointer is missing and the index damaged",
    (index, generation) => {
      rmSync(join(index, "CURRENT.json"));
      truncateSync(join(generation, "index.sqlite"), 100);
    },
  ],
  ["the index is empty", (_index, generation) => truncateSync(join(generation, "index.sqlite"), 0)],
  [
    "the index is truncated",
    (_index, generation) => truncateSync(join(generation, "index.sqlite"), 5000),
  ],
  ["the generation is missing", (_index, generation) => rmSync(generation, { recursive: true })],
  ["the database is missing", (_index, generation) => rmSync(join(generation, "index.sqlite"))],
  [
    "the index is a file",
    (index) => {
      rmSync(index, { recursive: true });
      writeFileSync(index, "x");
    },
  ],
  ["the whole index is missing", (index) => rmSync(index, { recursive: true })],
  [
    "the index is text",
    (_index, generation) => writeFileSync(join(generation, "index.sqlite"), "text ".repeat(5000)),
  ],
])("%s: reports DATA_LOSS and keeps all files", async (_name, damage) => {
  const { fixture, index, generation } = await stopped();
  damage(index, generation);
  const files = () =>
    readdirSync(join(fixture.root, "data"), { recursive: true })
      .map(String)
      .filter((name) => !/-(wal|shm)$/.test(name))
      .sort();
  const before = files();
  await expect(fixture.restart()).rejects.toMatchObject({
    code: "DATA_LOSS",
    reason: "INDEX_DAMAGED",
  });
  expect(files()).toEqual(before);
  // The recovery named by the error message: restoring the backup to a new data directory.
  const fresh = await hostFixture({}, join(fixture.root, "fresh"));
  await fresh.finish(
    fresh.host.management.restore({
      source: fixture.uri("dir"),
      indexLink: "/core/document-index",
    }),
  );
  expect(await fresh.contents()).toEqual({ a: '{"n":1}' });
});

test.each([1, 2])(
  "rejects a CURRENT.json from before %i restores, removes nothing, and starts with the copy that the error names",
  async (restores) => {
    const fixture = await hostFixture();
    const index = join(fixture.root, "data", "document-index");
    const pointer = join(index, "CURRENT.json");
    await fixture.put("a", { n: 1 });
    await fixture.backup("dir");
    copyFileSync(pointer, join(fixture.root, "old"));
    for (let i = 0; i < restores; i += 1)
      await fixture.finish(
        fixture.host.management.restore({
          source: fixture.uri("dir"),
          indexLink: "/core/document-index",
        }),
      );
    await fixture.put("a", { n: 2 });
    await fixture.stop();
    const newest = readFileSync(pointer, "utf8");
    copyFileSync(join(fixture.root, "old"), pointer);
    const databases = () =>
      readdirSync(index, { recursive: true })
        .map(String)
        .filter((name) => name.endsWith("index.sqlite"))
        .sort();
    const before = databases();
    await expect(fixture.restart()).rejects.toMatchObject({ reason: "INDEX_DAMAGED" });
    expect(databases()).toEqual(before);
    copyFileSync(join(index, String(fieldsOf(newest)["current"]), "CURRENT.json"), pointer);
    await fixture.restart();
    expect(await fixture.contents()).toEqual({ a: '{"n":2}' });
  },
);

test("opens a data directory of the former format, and adds the checksum", async () => {
  const { fixture, index, generation } = await stopped();
  const { switches: _switches, ...fields } = fieldsOf(
    readFileSync(join(index, "CURRENT.json"), "utf8"),
  );
  writeFileSync(join(index, "CURRENT.json"), JSON.stringify({ formatVersion: 1, ...fields }));
  rmSync(join(generation, "CURRENT.json"));
  await fixture.restart();
  await fixture.stop();
  expect(JSON.parse(readFileSync(join(generation, "CURRENT.json"), "utf8"))).toMatchObject({
    formatVersion: 2,
    switches: 0,
  });
});

test("starts after an interrupted first start and removes its files", async () => {
  const { fixture, index } = await stopped();
  const other = join(fixture.root, "other");
  mkdirSync(join(other, "data", "document-index", ".holdfast-generation-0123"), {
    recursive: true,
  });
  writeFileSync(
    join(other, "data", "document-index", ".holdfast-generation-0123", "index.sqlite"),
    "half",
  );
  const fresh = await hostFixture({}, other);
  await fresh.put("b", {});
  expect(
    readdirSync(join(other, "data", "document-index")).some((name) => name.startsWith(".")),
  ).toBe(false);
  expect(readdirSync(index)).toHaveLength(2);
});

test.each([[""], ["\n"], ["two words"], ["\u0000"]])("rejects a host id of %j", async (text) => {
  const { fixture } = await stopped();
  writeFileSync(join(fixture.root, "data", "host-id"), text);
  await expect(fixture.restart()).rejects.toMatchObject({ reason: "CONFIGURATION_INVALID" });
  await fixture.restart({ id: "given" });
});

test("warns about a log far ahead of the clock, and continues its times", async () => {
  const clock = { micros: Date.now() * 1000 };
  const warnings: string[] = [];
  const platform = { ...systemPlatform, nowMicros: () => clock.micros };
  const logger = {
    info: () => {},
    error: () => {},
    warn: (_fields: object, message: string) => void warnings.push(message),
  };
  const fixture = await hostFixture({ platform, logger });
  const before = await fixture.put("a", {});
  clock.micros -= 2 * 3600 * 1_000_000;
  await fixture.restart();
  expect(warnings.join()).toContain("ahead of the clock");
  expect(await fixture.put("a", {})).toBeGreaterThan(before);
});
