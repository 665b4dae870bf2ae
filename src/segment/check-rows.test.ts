import { statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import Database from "better-sqlite3";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import type { SegmentSource } from "../engine/engine.js";
import { limits } from "../limits.js";
import { checkRange, checkRows } from "./check-rows.js";
import { withChecksum } from "./row.js";
import { readSegment } from "./segment-file.js";
import { createSegmentTables, segmentSchema } from "./tables.js";

/** A segment with these bodies, at times from 1 on. */
function segmentOf(bodies: readonly string[], change = ""): SegmentSource {
  const path = join(temporaryDirectory(), "s.sqlite");
  const db = new Database(path);
  createSegmentTables(db);
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  db.transaction(() =>
    bodies.forEach((body, at) =>
      insert.run(withChecksum([at + 1, `/t/${at}`, 0, "POST", "k", "o", 0, body])),
    ),
  )();
  if (change !== "") db.exec(change);
  db.close();
  return {
    path,
    kind: "base",
    firstMicros: 0,
    lastMicros: bodies.length,
    records: bodies.length,
    prunes: 0,
    sizeBytes: statSync(path).size,
    sha256: "",
  };
}

const small = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}`);

test("both halves together check each row once, and report all of them", () => {
  for (const count of [0, 1, 2, 3, 2500]) {
    const segment = segmentOf(small(count));
    let rows = 0;
    for (const half of ["first", "second"] as const)
      checkRows(segment, (more) => (rows += more), half);
    expect(rows).toBe(count);
    let whole = 0;
    checkRows(segment, (more) => (whole += more));
    expect(whole).toBe(count);
  }
});

test("one of the halves tells that there are fewer or more rows than stated", () => {
  const segment = segmentOf(small(50));
  for (const records of [0, 10, 24, 49, 51, 99, 1000]) {
    const problems = (["first", "second"] as const).map((half) => {
      try {
        checkRows({ ...segment, records }, () => {}, half);
        return "";
      } catch (error) {
        return String(error);
      }
    });
    expect(problems.join()).toMatch(/contains 50 rows, not \d+/);
    expect(() => checkRows({ ...segment, records }, () => {})).toThrow(/contains 50 rows/);
  }
});

test("names the row that is wrong among those that are checked together", () => {
  const changes: [change: string, problem: RegExp][] = [
    ["UPDATE log SET crc = crc + 1 WHERE time = 1700", /the row at 1700 does not match/],
    ["UPDATE log SET body = '[]' WHERE time = 1700", /the row at 1700 is not a valid document/],
    [
      "UPDATE log SET body = 'no JSON' WHERE time = 1700",
      /the row at 1700 is not a valid document/,
    ],
    ["UPDATE log SET body = CAST(x'7b2261223a2280227d' AS TEXT) WHERE time = 1700", /at 1700/],
    ["UPDATE log SET kind = 'a' || char(10) || 'b' WHERE time = 3", /the row at 3 is not/],
  ];
  for (const [change, problem] of changes) {
    const segment = segmentOf(small(2000), change);
    expect(() => checkRows(segment, () => {})).toThrow(problem);
  }
});

test("refuses values of other types than those of their columns, whose checksums match", () => {
  const good = [1, "/t/0", 0, "POST", "k", "o", 0, "{}"] as const;
  const bytes = (text: string) => Buffer.from(text);
  const wrong: [column: number, values: unknown[]][] = [
    [1, [7, bytes("/t/0"), null]],
    [2, ["0", 0.5, null]],
    [3, [bytes("POST"), null]],
    [4, [7, bytes("k"), null]],
    [5, [7, bytes("o"), null]],
    [6, ["0", 0.5, null]],
    [7, [7, bytes("{}"), null]],
  ];
  for (const [column, values] of [[0, [1]] as const, ...wrong])
    for (const value of values) {
      const row: unknown[] = good.with(column, value as never);
      const segment = craftedSegment(row);
      const check = () => checkRows(segment, () => {});
      if (column === 0) check();
      else expect(check).toThrow("the row at 1 is not a valid document");
    }
});

test("refuses rows at times that no number of JavaScript is exact for", () => {
  for (const time of [-(2n ** 60n), -1n, 0n, 2n ** 53n + 1n, 2n ** 60n]) {
    const hidden = `INSERT INTO log SELECT ${time}, link, 7, 'NONSENSE', kind, owner, expires, 5, 'no JSON' FROM log WHERE time = 1`;
    const segment = segmentOf(small(3), hidden);
    for (const records of [3, 4]) {
      expect(() => checkRows({ ...segment, records }, () => {})).toThrow();
      expect(() => checkRows({ ...segment, records }, () => {}, "first")).toThrow();
    }
  }
});

/** A segment whose schema is the right one, and whose only row was stored without types. Its checksum matches. */
function craftedSegment(row: readonly unknown[]): SegmentSource {
  const segment = segmentOf([]);
  const db = new Database(segment.path).unsafeMode();
  db.pragma("writable_schema = ON");
  const setSchema = db.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = 'log'");
  const untyped =
    "time INTEGER PRIMARY KEY, link, version, action, kind, owner, expires, crc, body";
  setSchema.run(`CREATE TABLE log (${untyped})`);
  db.pragma("writable_schema = RESET");
  // As better-sqlite3 stores numbers as REAL, and so that each value has the type that it is given with.
  const text = row
    .filter((one) => one !== null)
    .map(String)
    .join("\n");
  const typed = row.map((one) => (Number.isInteger(one) ? BigInt(one as number) : one));
  db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  ).run(...typed, BigInt(crc32(text)));
  db.pragma("writable_schema = ON");
  setSchema.run(segmentSchema["log"]);
  db.close();
  return { ...segment, lastMicros: 1, records: 1 };
}

test("reads rows of any size in chunks of bounded size", () => {
  const bodies = Array.from({ length: 60 }, (_, n) =>
    JSON.stringify({ n, pad: "é".repeat(n % 7 === 0 ? 400_000 : n * 10) }),
  );
  const segment = segmentOf(bodies);
  const chunks: number[] = [];
  readSegment(segment, (db) =>
    checkRange(db, segment, { after: 0, upTo: 60 }, (_rows, bytes) => void chunks.push(bytes)),
  );
  const total = bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0);
  expect(chunks.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(total);
  expect(Math.max(...chunks)).toBeLessThan(3 * limits.scanBytes);
});

test("accepts deep and wide documents up to the limit, and refuses deeper ones by name", () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const wide = JSON.stringify({ list: Array.from({ length: 900 }, () => ({ x: [] })) });
  checkRows(segmentOf([nested(limits.jsonDepth), wide, "{}"]), () => {});
  const deep = segmentOf(["{}", wide, nested(limits.jsonDepth + 1), "{}"]);
  expect(() => checkRows(deep, () => {})).toThrow(/the row at 3 is not a valid document/);
});
