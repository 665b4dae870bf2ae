import { workerData } from "node:worker_threads";
import type { DocumentWrite } from "../../document/document.js";
import type { SweepResult } from "../engine.js";
import type { SweepOptions } from "./sweep.js";
import { serveWorker } from "../../io/worker-loop.js";
import type { LogRow } from "../../segment/row.js";
import type { WriteOutcome } from "../write-queue.js";
import { openWriter, type WriterOptions } from "./writer.js";
import { fromSqlite } from "../../segment/sqlite-error.js";

export type WriterCall =
  | { kind: "commit"; nowMicros: number; writes: DocumentWrite[] }
  | { kind: "pin"; nowMicros: number }
  | { kind: "sweep"; nowMicros: number; options: SweepOptions };
export type WriterAnswer = WriteOutcome<LogRow>[] | { wallTimeMicros: number } | SweepResult;

serveWorker<WriterCall, WriterAnswer>(() => {
  const options = workerData as WriterOptions;
  let writer: ReturnType<typeof openWriter>;
  try {
    writer = openWriter(options);
  } catch (thrown) {
    throw fromSqlite(thrown, `Opening the index ${options.path}`);
  }
  return {
    handle(call) {
      switch (call.kind) {
        case "commit":
          return writer.commit(call.nowMicros, call.writes);
        case "pin":
          return writer.pin(call.nowMicros);
        case "sweep":
          return writer.sweep(call.nowMicros, call.options);
      }
    },
    close: () => writer.close(),
  };
});
