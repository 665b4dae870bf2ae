import { workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import type { DocumentVersion } from "../../document/document.js";
import { createReader, type ReaderAnswer, type ReaderCall } from "./reader.js";
import { logChecksum, type LogRow } from "../../segment/row.js";
import { createIndexTables, createIndexes, writeCounts, writeIdentity } from "./schema.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
import { serveWorker } from "../../io/worker-loop.js";

export type TraceBufferCall =
  | ReaderCall
  | { kind: "append"; documents: Omit<DocumentVersion, "link" | "version" | "action">[] };
export interface TraceBufferWorkerData {
  link: string;
  maxDocuments: number;
  maxAgeMicros: number;
}

serveWorker<TraceBufferCall, ReaderAnswer>(() => {
  const { link, maxDocuments, maxAgeMicros } = workerData as TraceBufferWorkerData;
  const db = new Database(":memory:");
  createIndexTables(db);
  createIndexes(db);
  writeIdentity(db, { indexId: link, lineage: link, parents: [] });
  writeCounts(db, { documents: 0, versions: 0 });
  const sizeBytes = () =>
    Number(db.pragma("page_count", { simple: true })) *
    Number(db.pragma("page_size", { simple: true }));
  const reader = createReader(db, sizeBytes);
  const insert = db.prepare(
    "INSERT INTO log (time, link, version, action, kind, owner, expires, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const removeOld = db.prepare("DELETE FROM log WHERE time <= ?");
  const removeBeyond = db.prepare(
    "DELETE FROM log WHERE time <= (SELECT time FROM log ORDER BY time DESC LIMIT 1 OFFSET ?)",
  );
  const count = db.prepare<[], number>("SELECT count(*) FROM log").pluck();
  let last = 0;

  const append = db.transaction(
    (documents: Extract<TraceBufferCall, { kind: "append" }>["documents"]) => {
      for (const { updateTimeMicros, kind, owner, expirationTimeMicros, body } of documents) {
        last = Math.max(updateTimeMicros, last + 1);
        const row: LogRow = [
          last,
          `${link}/${last}`,
          0,
          "POST",
          kind,
          owner,
          expirationTimeMicros,
          body,
        ];
        insert.run(...row, logChecksum(row));
      }
      removeBeyond.run(maxDocuments);
      removeOld.run(last - maxAgeMicros);
      const versions = count.get() ?? 0;
      writeCounts(db, { documents: versions, versions });
    },
  );

  return {
    handle(call) {
      try {
        if (call.kind !== "append") return reader.handle(call);
        append(call.documents);
        return undefined;
      } catch (thrown) {
        throw fromSqlite(thrown, `Keeping ${link}`);
      }
    },
    close: () => reader.close(),
  };
});
