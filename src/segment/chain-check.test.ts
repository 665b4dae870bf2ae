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
  for (const [time, link, version, action = "PUT"] of rows) log.run(time, link, version, action);
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
  "counts the documents and versions of a chain, with %d links per pass",
  (linksAtOnce) => {
    const delta = segment([
      [5, "/a", 2, "DELETE"],
      [6, "/d", 0],
      [7, "/b", 1],
    ]);
    expect(checkChain([base(), delta], () => {}, linksAtOnce)).toEqual({
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
  for (const linksAtOnce of [1, 1000])
    expect(() => checkChain([base(), segment(rows)], () => {}, linksAtOnce)).toThrow(
      expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error,
    );
});

test("excludes compacted versions and returns the time range of the compaction", () => {
  const delta = segment([[5, "/a", 2]], [["/a", 6, 1, 1, 5]]);
  expect(checkChain([base(), delta], () => {})).toEqual({
    documents: 3,
    versions: 3,
    firstMicros: 2,
    prunedUntilMicros: 5,
    prunedSinceMicros: 1,
  });
});
