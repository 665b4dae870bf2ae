import { limits } from "../../limits.js";
import type { DocumentService, ExportPage, ExportRequest } from "./document-service.js";

/** Exports all documents of a factory at one point in time, page by page. */
export async function* exportDocuments(
  documents: Pick<DocumentService, "list" | "position">,
  { factoryPath, filter, resumeToken, expand }: ExportRequest,
  signal: AbortSignal,
): AsyncGenerator<ExportPage> {
  const common = {
    factoryPath,
    expand,
    limit: limits.pageRows,
    pageBytes: limits.exportPageBytes,
    ...(filter !== undefined && { filter }),
  };
  // Determined for the first page; later page tokens contain it.
  const atMicros = resumeToken === undefined ? await documents.position(factoryPath) : undefined;
  let pageToken = resumeToken;
  for (;;) {
    signal.throwIfAborted();
    const page = await documents.list(
      {
        ...common,
        ...(pageToken === undefined
          ? { ...(atMicros !== undefined && { atMicros }) }
          : { pageToken }),
      },
      signal,
    );
    pageToken = page.nextPageToken;
    yield { documents: page.documents, ...(pageToken !== undefined && { resumeToken: pageToken }) };
    if (pageToken === undefined) return;
  }
}
