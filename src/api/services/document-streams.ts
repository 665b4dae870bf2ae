import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  BodyFormat,
  type ExportDocumentsRequest,
  type ExportDocumentsResponseSchema,
  type ImportDocumentsRequest,
  type ImportDocumentsResponseSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { HostError } from "../../errors.js";
import type { DocumentService } from "../../service/documents/document-service.js";
import { importDocuments } from "../../service/documents/import-documents.js";
import { readDocument } from "../convert/document.js";
import { bodyText, toLink } from "./document-body.js";
import { withIdleLimit } from "./idle.js";
import { fromInt64, toInt64 } from "../convert/numbers.js";

/** Implements ImportDocuments: reads documents and reports progress. */
export async function* importStream(
  documents: DocumentService,
  requests: AsyncIterable<ImportDocumentsRequest>,
  idleMs: number,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ImportDocumentsResponseSchema>> {
  const messages = withIdleLimit(requests, idleMs, signal);
  const first = (await messages.next()).value;
  if (first?.message.case !== "header")
    throw new HostError("REQUEST_INVALID", "The first message of an import must be a header.");
  const { factoryLink, skip } = first.message.value;
  async function* bodies(): AsyncGenerator<string> {
    for await (const { message } of messages) {
      if (message.case !== "document")
        throw new HostError("REQUEST_INVALID", "Unexpected header: an import has exactly one.");
      yield await bodyText({ case: "json", value: message.value });
    }
  }
  for await (const progress of importDocuments(
    documents,
    toLink(factoryLink),
    fromInt64(skip),
    bodies(),
    signal,
  )) {
    const { documents: count, created, replaced, unchanged, done } = progress;
    yield {
      documents: toInt64(count),
      created: toInt64(created),
      replaced: toInt64(replaced),
      unchanged: toInt64(unchanged),
      done,
    };
  }
}

/** Implements ExportDocuments. */
export async function* exportStream(
  documents: DocumentService,
  request: ExportDocumentsRequest,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ExportDocumentsResponseSchema>> {
  const { factoryLink, filter, resumeToken, bodyFormat } = request;
  const exportRequest = {
    factoryPath: toLink(factoryLink),
    ...(filter !== "" && { filter }),
    ...(resumeToken !== "" && { resumeToken }),
    expand: bodyFormat !== BodyFormat.NONE,
  };
  for await (const page of documents.export(exportRequest, signal)) {
    yield {
      documents: page.documents.map((version) => readDocument(version, bodyFormat)),
      resumeToken: page.resumeToken ?? "",
    };
  }
}
