import { compareBodies } from "../../document/compare.js";
import { serveWorker } from "../../io/worker-loop.js";
import type { BodyAnswer, BodyCall } from "./body-reader.js";
import { kindTable, readDocumentBody } from "./document-body.js";

const kinds = kindTable();

serveWorker<BodyCall, BodyAnswer>(() => ({
  handle: (call) =>
    call.do === "compare"
      ? compareBodies(call.from, call.to)
      : readDocumentBody(kinds(call.kind), call.action, call.text, call.context),
  close: () => undefined,
}));
