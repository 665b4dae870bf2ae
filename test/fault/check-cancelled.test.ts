import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import type { SegmentSource } from "../../src/engine/engine.js";
import { limits } from "../../src/limits.js";
import { withChecksum } from "../../src/segment/row.js";
import { checkSegments } from "../../src/segment/checks.js";
import { digestFile } from "../../src/segment/segment-file.js";
import { createSegmentTables } from "../../src/segment/tables.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A base of more rows than a check follows in memory. */
function largeSegment(): SegmentSource {
  const path = join(temporaryDirectory(), "base.sqlite");
  const records = limits.chainCheckRows + 1000;
  const db = new Database(path);
  createSegmentTables(db);
  db.pragma("journal_mode = OFF");
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  db.transaction(() => {
    for (let n = 0; n < records; n += 1)
      insert.run(withChecksum([n + 1, `/t/${n}`, 0, "POST", "k", "o", 0, "{}"]));
  })();
  db.close();
  return {
    path,
    kind: "base",
    firstMicros: 0,
    lastMicros: records,
    records,
    prunes: 0,
    sizeBytes: statSync(path).size,
    sha256: digestFile(path, () => {}),
  };
}

test("a check of a large segment leaves no temporary file behind, also when it is cancelled", async () => {
  const segment = largeSegment();
  const directory = temporaryDirectory();
  const content = await checkSegments([segment], directory, new AbortController().signal);
  expect(content).toMatchObject({ documents: segment.records, versions: segment.records });
  expect(readdirSync(directory)).toEqual([]);

  const abort = new AbortController();
  const checked = checkSegments([segment], directory, abort.signal);
  const hasParts = () =>
    readdirSync(directory).some((name) =>
      readdirSync(join(directory, name)).some((part) =>
        existsSync(join(directory, name, part, "0")),
      ),
    );
  let hasEnded = false;
  const ended = checked.catch(() => {}).finally(() => (hasEnded = true));
  while (!hasParts() && !hasEnded) await sleep(2);
  abort.abort();
  await ended;
  await expect(checked).rejects.toMatchObject({ reason: "OPERATION_CANCELLED" });
  expect(readdirSync(directory)).toEqual([]);
});
