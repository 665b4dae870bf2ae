import { serveWorker } from "../../io/worker-loop.js";
import type { BodyCall } from "./body-reader.js";
import { kindTable, readDocumentBody, type DocumentBody } from "./document-body.js";

const kinds = kindTable();

serveWorker<BodyCall, DocumentBody>(() => ({
  handle: ({ kind, action, text, context }) => readDocumentBody(kinds(kind), action, text, context),
  close: () => undefined,
}));
