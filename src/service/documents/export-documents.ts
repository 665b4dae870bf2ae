import type { DocumentVersion } from "../../document/document.js";
import { limits } from "../../limits.js";
import type { DocumentService } from "./document-service.js";

export interface ExportRequest {
  factoryPath: string;
  filter?: string;
  /** Goes on where an export that was cut had come to; absent: all, as it is now. */
  resumeToken?: string;
  expand: boolean;
}

export interface ExportPage {
  documents: DocumentVersion[];
  /** Where to go on after these; absent with the last ones. */
  resumeToken?: string;
}

/** All documents of a factory as they were at one moment, in pages as they are asked for. */
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
  // Fixed by the first page; its token carries it on.
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
