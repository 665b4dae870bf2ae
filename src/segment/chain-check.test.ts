import { readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import type { SegmentSource } from "../engine/engine.js";
import { checkChain } from "./chain-check.js";
import { createSegmentTables } from "./tables.js";

type Row = [time: number, link: string, version: number, action?: string];
type CompactionRow = [link: string, time: number, version: number, since: number, until: number];

function segment(rows: Row[], compactions: CompactionRow[] = []): SegmentSource {
  const path = join(temporaryDirectory(), "segment.sqlite");
  const db = new Database(path);
  createSegmentTables(db);
  const log = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, crc, body) VALUES (?, ?, ?, ?, '', '', 0, 0, '{}')",
  );
  db.transaction(() => {
    for (const [time, link, version, action = "PUT"] of rows) log.run(time, link, version, action);
  })();
  const compaction = db.prepare(
    "INSERT INTO prune (link, time, version, since, until, crc) VALUES (?, ?, ?, ?, ?, 0)",
  );
  for (const row of compactions) compaction.run(...row);
  db.close();
  return {
    path,
    kind: "base",
    firstMicros: 0,
    lastMicros: 100,
    records: rows.length,
    prunes: compactions.length,
    sizeBytes: 1,
    sha256: "",
  };
}

const base = () =>
  segment([
    [1, "/a", 0],
    [2, "/b", 0],
    [3, "/a", 1],
    [4, "/c", 0],
  ]);

test.each([1, 2, 1000])(
  "counts the documents and versions of a chain, with %d rows at once",
  (rowsAtOnce) => {
    const delta = segment([
      [5, "/a", 2, "DELETE"],
      [6, "/d", 0],
      [7, "/b", 1],
    ]);
    expect(checkChain([base(), delta], temporaryDirectory(), () => {}, rowsAtOnce)).toEqual({
      documents: 3,
      versions: 7,
      firstMicros: 1,
      prunedUntilMicros: 0,
      prunedSinceMicros: 0,
    });
  },
);

test.each<[string, Row[]]>([
  ["a version that the base contains", [[5, "/b", 0]]],
  ["a version lower than one in the base", [[5, "/a", 0]]],
  [
    "a version twice in one segment",
    [
      [5, "/e", 0],
      [6, "/e", 0],
    ],
  ],
])("rejects %s", (_what, rows) => {
  for (const rowsAtOnce of [1, 1000])
    expect(() =>
      checkChain([base(), segment(rows)], temporaryDirectory(), () => {}, rowsAtOnce),
    ).toThrow(expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error);
});

test("excludes compacted versions and returns the time range of the compaction", () => {
  const delta = segment([[5, "/a", 2]], [["/a", 6, 1, 1, 5]]);
  expect(checkChain([base(), delta], temporaryDirectory(), () => {})).toEqual({
    documents: 3,
    versions: 3,
    firstMicros: 2,
    prunedUntilMicros: 5,
    prunedSinceMicros: 1,
  });
});

test("names the first version that does not follow", () => {
  const delta = segment([[5, "/b", 0]]);
  for (const rowsAtOnce of [1, 1000])
    expect(() => checkChain([base(), delta], temporaryDirectory(), () => {}, rowsAtOnce)).toThrow(
      'version 0 of "/b" follows version 0',
    );
});

test("takes as many rows as the manifest states, and leaves no file behind", () => {
  const directory = temporaryDirectory();
  const more = { ...base(), records: 3 };
  const moreCompactions = { ...segment([], [["/a", 6, 1, 1, 5]]), prunes: 0 };
  for (const rowsAtOnce of [1, 1000]) {
    expect(() => checkChain([more], directory, () => {}, rowsAtOnce)).toThrow("more than 3 rows");
    expect(() => checkChain([moreCompactions], directory, () => {}, rowsAtOnce)).toThrow(
      "more than 0 compaction records",
    );
    expect(readdirSync(directory)).toEqual([]);
  }
});

test("follows more links than its table has room for at first", () => {
  const rows = Array.from({ length: 20_000 }, (_, n): Row => [n + 1, `/${n % 9000}`, n]);
  const content = checkChain([segment(rows)], temporaryDirectory(), () => {});
  expect(content).toMatchObject({ documents: 9000, versions: 20_000, firstMicros: 1 });
  expect(checkChain([segment(rows)], temporaryDirectory(), () => {}, 1500)).toEqual(content);
});

test("reads no row twice whose time is beyond the exact numbers", () => {
  for (const rowsAtOnce of [1, 1000]) {
    const beyond = segment([]);
    const db = new Database(beyond.path);
    db.exec("INSERT INTO log VALUES (9007199254740993, '/a', 0, 'POST', '', '', 0, 0, '{}')");
    db.close();
    expect(() =>
      checkChain([{ ...beyond, records: 9000 }], temporaryDirectory(), () => {}, rowsAtOnce),
    ).toThrow("is not in order");
  }
});

test("refuses to fill the disk with temporary files", () => {
  const huge = { ...base(), records: 1e15 };
  const directory = temporaryDirectory();
  expect(() => checkChain([huge], directory, () => {})).toThrow(
    expect.objectContaining({ reason: "STORAGE_FULL" }) as Error,
  );
  expect(readdirSync(directory)).toEqual([]);
});
