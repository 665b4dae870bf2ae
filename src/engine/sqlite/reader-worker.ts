import { workerData } from "node:worker_threads";
import { openReader, type ReaderAnswer, type ReaderCall } from "./reader.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
import { serveWorker } from "../../io/worker-loop.js";

serveWorker<ReaderCall, ReaderAnswer>(() => {
  const { path } = workerData as { path: string };
  const what = `Reading the index ${path}`;
  try {
    const reader = openReader(path);
    return {
      handle(call) {
        try {
          return reader.handle(call);
        } catch (thrown) {
          throw fromSqlite(thrown, what);
        }
      },
      close: () => reader.close(),
    };
  } catch (thrown) {
    throw fromSqlite(thrown, what);
  }
});
