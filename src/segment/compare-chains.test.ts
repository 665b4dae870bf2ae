import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import type { SegmentSource } from "../engine/engine.js";
import { compareSegments } from "./checks.js";
import {
  compareChains,
  writeDiffering,
  type ComparedChain,
  type ComparedDocuments,
} from "./compare-chains.js";
import { pruneChecksum, withChecksum, type LogRow } from "./row.js";
import { checkRows } from "./check-rows.js";
import { digestFile } from "./segment-file.js";
import { createSegmentTables } from "./tables.js";

interface Row {
  time: number;
  link: string;
  version: number;
  action: string;
  kind: string;
}
interface Compaction {
  link: string;
  time: number;
  version: number;
}
interface Part {
  rows: Row[];
  compactions: Compaction[];
}

const everything: ComparedDocuments = { prefixes: [], kinds: [], links: [] };

function segment({ rows, compactions }: Part, after = 0, crcs = 0): SegmentSource {
  const path = join(temporaryDirectory(), "segment.sqlite");
  const db = new Database(path);
  createSegmentTables(db);
  const log = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  db.transaction(() => {
    for (const { time, link, version, action, kind } of rows) {
      const row: LogRow = [time, link, version, action, kind, "me", 7, `{"n":${time}}`];
      const checked = withChecksum(row);
      log.run(...checked.slice(0, 8), checked[8] + crcs);
    }
    for (const { link, time, version } of compactions)
      db.prepare("INSERT OR REPLACE INTO prune VALUES (?, ?, ?, 1, 2, ?)").run(
        ...[link, time, version, pruneChecksum(link, time, version, 1, 2)],
      );
  })();
  const prunes = db.prepare("SELECT count(*) FROM prune").pluck().get() as number;
  db.close();
  return {
    path,
    kind: after === 0 ? "base" : "delta",
    firstMicros: after,
    lastMicros: 1_000_000,
    records: rows.length,
    prunes,
    sizeBytes: statSync(path).size,
    sha256: digestFile(path, () => {}),
  };
}

/** The rows that compactions leave. */
function keptOf(parts: Part[]): Row[] {
  const compacted = new Map(
    parts.flatMap(({ compactions }) => compactions.map((one) => [one.link, one] as const)),
  );
  return parts
    .flatMap(({ rows }) => rows)
    .filter(({ link, version, time }) => {
      const by = compacted.get(link);
      return by === undefined || version > by.version || time >= by.time;
    });
}

/** What an index that is built of all rows up to the target shows, by link. */
function shownBy(parts: Part[], target: number, { prefixes, kinds, links }: ComparedDocuments) {
  const latest = new Map<string, Row>();
  for (const row of keptOf(parts)) {
    if (row.time > target) continue;
    if ((latest.get(row.link)?.version ?? -1) < row.version) latest.set(row.link, row);
  }
  return [...latest.values()].filter(
    ({ link, action, kind }) =>
      action !== "DELETE" &&
      (kinds.length === 0 || kinds.includes(kind)) &&
      (prefixes.length + links.length === 0 ||
        links.includes(link) ||
        prefixes.some((prefix) => link.startsWith(prefix))),
  );
}

/** Random writes and compactions after others; times begin after the last. */
function history(random: () => number, before: Part[], count: number): Part {
  const versions = new Map<string, number>();
  let time = 0;
  for (const { rows, compactions } of before) {
    for (const row of rows) versions.set(row.link, row.version);
    for (const one of [...rows, ...compactions]) time = Math.max(time, one.time);
  }
  const part: Part = { rows: [], compactions: [] };
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  for (let i = 0; i < count; i += 1) {
    time += 1 + Math.floor(random() * 3);
    const link = `/${pick(["a", "b", "ä"])}/${Math.floor(random() * 5)}`;
    const version = (versions.get(link) ?? -1) + 1;
    if (version > 0 && random() < 0.15) {
      part.compactions = part.compactions.filter((one) => one.link !== link);
      part.compactions.push({ link, time, version: Math.floor(random() * version) });
      continue;
    }
    versions.set(link, version);
    const action = version === 0 ? "POST" : pick(["PATCH", "PUT", "DELETE"]);
    part.rows.push({ time, link, version, action, kind: pick(["k", "l"]) });
  }
  return part;
}

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

test("finds what differs between two histories, with any number of rows at once", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.nat(15), { maxLength: 2 }),
      fc.tuple(fc.array(fc.nat(12), { maxLength: 2 }), fc.array(fc.nat(12), { maxLength: 2 })),
      fc.tuple(fc.option(fc.nat(60)), fc.option(fc.nat(60))),
      fc.constantFrom(1, 3, 20, 1000),
      fc.constantFrom<Partial<ComparedDocuments>>(
        {},
        { prefixes: ["/a", "/ä/1"] },
        { links: ["/b/1", "/a/2"] },
        { kinds: ["k"] },
        { kinds: ["l"], prefixes: ["/b"], links: ["/ä/0"] },
      ),
      (seed, common, own, targets, rowsAtOnce, selected) => {
        const random = seeded(seed);
        const wanted = { ...everything, ...selected };
        const extend = (start: Part[], counts: number[]) => {
          const parts = [...start];
          for (const count of counts) parts.push(history(random, parts, count));
          return parts;
        };
        const shared = extend([], common);
        const sides = own.map((counts) => extend(shared, counts));
        const files = new Map<Part, SegmentSource>();
        const fileOf = (part: Part) => {
          const file = files.get(part) ?? segment(part);
          files.set(part, file);
          return file;
        };
        const chains = sides.map((parts, side) => ({
          segments: parts.map(fileOf),
          ...(targets[side] !== null && { targetTimeMicros: targets[side] }),
        })) as [ComparedChain, ComparedChain];
        const directory = temporaryDirectory();

        const { counts, unchanged } = compareChains(chains, wanted, directory, rowsAtOnce);

        const states = sides.map((parts, side) =>
          shownBy(parts, targets[side] ?? Infinity, wanted),
        );
        const key = ({ link, version, time }: Row) => `${link} ${version} ${time}`;
        const keys = states.map((rows) => new Set(rows.map(key)));
        expect(unchanged).toBe([...keys[0]!].filter((one) => keys[1]!.has(one)).length);
        for (const side of [0, 1] as const) {
          const written = writeDiffering(chains[side], side, directory);
          checkRows(written, () => {});
          const db = new Database(written.path, { readonly: true });
          const found = db.prepare("SELECT * FROM log ORDER BY time").all() as (Row & object)[];
          db.close();
          const differing = states[side]!.filter((row) => !keys[1 - side]!.has(key(row)));
          expect(found).toEqual(
            differing
              .sort((a, b) => a.time - b.time)
              .map((row) => expect.objectContaining({ ...row, body: "{}" }) as unknown),
          );
          const parts = sides[side]!;
          expect(counts[side]).toEqual({
            documents: shownBy(parts, Infinity, everything).length,
            versions: keptOf(parts).length,
          });
        }
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

const row = (time: number, link: string, version: number, action = "PUT"): Row => ({
  time,
  link,
  version,
  action,
  kind: "k",
});
const sound = () => segment({ rows: [row(1, "/a", 0), row(2, "/b", 0)], compactions: [] });

test.each([1, 1000])("rejects versions out of order on either side, %d rows at once", (rows) => {
  const delta = segment({ rows: [row(5, "/b", 0)], compactions: [] }, 2);
  const wrong = { segments: [sound(), delta] };
  const right = { segments: [sound()] };
  const compare = (chains: [ComparedChain, ComparedChain]) =>
    compareChains(chains, everything, temporaryDirectory(), rows);
  for (const chains of [
    [wrong, right],
    [right, wrong],
  ] as [ComparedChain, ComparedChain][])
    expect(() => compare(chains)).toThrow(
      expect.objectContaining({
        reason: "BACKUP_DAMAGED",
        message: expect.stringContaining('version 0 of "/b" follows version 0') as string,
      }) as Error,
    );
});

test("counts the versions that compactions leave", () => {
  const rows = [row(1, "/a", 0), row(2, "/a", 1), row(3, "/b", 0, "DELETE")];
  const compacted = segment({ rows, compactions: [{ link: "/a", time: 4, version: 0 }] });
  const chains: [ComparedChain, ComparedChain] = [
    { segments: [compacted] },
    { segments: [sound()] },
  ];
  const { counts } = compareChains(chains, everything, temporaryDirectory());
  expect(counts).toEqual([
    { documents: 1, versions: 2 },
    { documents: 2, versions: 2 },
  ]);
});

describe("a check of both sides", () => {
  const compare = (one: SegmentSource[], two: SegmentSource[]) =>
    compareSegments(
      {
        chains: [{ segments: one }, { segments: two }],
        wanted: everything,
        directory: temporaryDirectory(),
      },
      new AbortController().signal,
    );
  const flipped = () => {
    const damaged = sound();
    const bytes = readFileSync(damaged.path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(damaged.path, bytes);
    return damaged;
  };
  const badRow = () => segment({ rows: [row(1, "/a", 0)], compactions: [] }, 0, 1);

  test("passes two sound chains", async () => {
    const { unchanged, differing } = await compare([sound()], [sound()]);
    expect(unchanged).toBe(2);
    expect(differing.map(({ records }) => records)).toEqual([0, 0]);
  });

  test.each<[string, () => SegmentSource]>([
    ["a file that does not match its digest", flipped],
    ["a row that does not match its checksum", badRow],
    ["another number of rows", () => ({ ...sound(), records: 3 })],
    ["a row outside of the range", () => ({ ...sound(), lastMicros: 1 })],
  ])("refuses %s", async (_what, make) => {
    const refused = expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error;
    await expect(compare([make()], [sound()])).rejects.toEqual(refused);
    await expect(compare([sound()], [make()])).rejects.toEqual(refused);
    // The same file with another description is checked again.
    const file = sound();
    const damaged = make();
    await expect(compare([file], [file, damaged])).rejects.toEqual(refused);
    await expect(compare([file], [{ ...file, sha256: "0".repeat(64) }])).rejects.toEqual(refused);
    await expect(compare([file], [{ ...file, records: 1 }])).rejects.toEqual(refused);
  });
});

test("ends at a row that would be read again and again, and at more rows than are stated", () => {
  const one = { time: 1, link: "/a", version: 0, action: "POST", kind: "k" };
  const beyond = segment({ rows: [one], compactions: [] });
  const db = new Database(beyond.path);
  db.exec(
    "INSERT INTO log SELECT 9007199254740993, link, 1, action, kind, owner, expires, crc, body FROM log",
  );
  db.close();
  const good = segment({ rows: [one], compactions: [] });
  const compare = (segments: SegmentSource[]) =>
    compareChains([{ segments }, { segments: [good] }], everything, temporaryDirectory());
  expect(() => compare([{ ...beyond, records: 10 }])).toThrow("is not in order");
  expect(() => compare([{ ...good, records: 0 }])).toThrow("more than 0 rows");
});
