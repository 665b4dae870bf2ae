// Makes a data directory with an index of so many documents, each with so many versions, over the last thirty days: a
// segment is written row by row and restored, which takes seconds per million and not minutes.
// Arguments: data directory, path of the documents, their number, versions of each, bytes of a body.
import Database from "better-sqlite3";
import { statSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SegmentSource } from "../src/engine/engine.js";
import { openSqlite } from "../src/engine/registry.js";
import { createHost } from "../src/host/start.js";
import { systemPlatform as platform } from "../src/io/platform.js";
import { withChecksum } from "../src/segment/row.js";
import { digestFile } from "../src/segment/segment-file.js";
import { createSegmentTables } from "../src/segment/tables.js";
import { DocumentIndex } from "../src/store/document-index.js";

const [dataDirectory = "", factory = "/bench"] = process.argv.slice(2);
const [documents = 0, versions = 0, bytes = 0] = process.argv.slice(4).map(Number);
const link = "/core/document-index";
const rows = documents * versions;
const spanMicros = 30 * 86_400_000_000;
const lastMicros = Date.now() * 1000 - 60_000_000;
const stepMicros = Math.floor(spanMicros / rows);

const host = await createHost({ dataDirectory, httpPort: 0, grpcPort: 0 });
await host.close();

const path = join(dataDirectory, "made.sqlite");
const db = new Database(path);
createSegmentTables(db);
db.pragma("journal_mode = OFF");
db.pragma("synchronous = OFF");
const insert = db.prepare(
  "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
);
const pad = "x".repeat(Math.max(1, bytes - 40));
const write = db.transaction((from: number, to: number) => {
  for (let n = from; n < to; n += 1) {
    const time = lastMicros - (rows - 1 - n) * stepMicros;
    const version = Math.floor(n / documents);
    const name = `d${n % documents}`;
    const action = version === 0 ? "POST" : "PATCH";
    const body = `{"name":"n${n}","pad":"${pad}"}`;
    insert.run(
      withChecksum([time, `${factory}/${name}`, version, action, "bench:kind", "bench", 0, body]),
    );
  }
});
for (let n = 0; n < rows; n += 100_000) write(n, Math.min(rows, n + 100_000));
db.close();

const segment: SegmentSource = {
  path,
  kind: "base",
  firstMicros: 0,
  lastMicros,
  records: rows,
  prunes: 0,
  sizeBytes: statSync(path).size,
  sha256: digestFile(path, () => {}),
};
const engine = openSqlite({ platform, directoryOf: () => join(dataDirectory, "document-index") });
const index = await DocumentIndex.open(platform, engine, {
  link,
  inMemory: false,
  nowMicros: platform.nowMicros,
  retainedVersions: 1000,
  historyMicros: 2 * spanMicros,
  durable: true,
  onBackgroundError: (error) => console.error(error),
});
const { indexId } = await index.state();
const replacement = await index.beginReplacement();
const identity = { indexId, lineage: platform.randomId(), parents: [] };
await replacement.build({ segments: [segment], identity, signal: new AbortController().signal });
await replacement.commit();
await index.close();
rmSync(path);
