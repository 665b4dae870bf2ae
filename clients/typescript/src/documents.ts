import type { Services } from "./services.js";
import { HoldfastError, isTransient } from "./error.js";
import {
  BodyFormat,
  type Document,
  type ImportDocumentsRequest,
  type ImportDocumentsResponse,
} from "./gen/holdfast/document/v1/document.js";
import { retrying } from "./retry.js";

/** Options of an import. */
export interface ImportOptions {
  /** Number of documents to skip at the start, because an earlier import wrote them. Default: 0. */
  skip?: bigint | undefined;
  /** Called about once per second with the number of durable documents. */
  onProgress?: ((progress: ImportDocumentsResponse) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Numbers of imported documents. */
export type ImportResult = Omit<ImportDocumentsResponse, "done">;

/** Options of an export. */
export interface ExportOptions {
  /** OData filter expression. Default: all documents. */
  filter?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Implements HoldfastClient.importDocuments. Not resumed automatically, since the documents may be readable only once. */
export async function importDocuments(
  { documents: service }: Pick<Services, "documents">,
  factoryLink: string,
  documents: Iterable<string | object> | AsyncIterable<string | object>,
  { skip = 0n, onProgress, signal }: ImportOptions,
): Promise<ImportResult> {
  async function* messages(): AsyncGenerator<ImportDocumentsRequest> {
    yield { message: { $case: "header", value: { factoryLink, skip } } };
    for await (const document of documents) {
      const text = typeof document === "string" ? document : JSON.stringify(document);
      yield { message: { $case: "document", value: Buffer.from(text) } };
    }
  }
  let last: ImportDocumentsResponse | undefined;
  for await (const progress of service.importDocuments(messages(), signal ? { signal } : {})) {
    last = progress;
    onProgress?.(progress);
  }
  if (!last?.done)
    throw new HoldfastError(
      `The import was interrupted; ${last?.documents ?? skip} documents are written. To resume, pass this number as skip.`,
      14,
    );
  const { done: _done, ...result } = last;
  return result;
}

/** Implements HoldfastClient.exportDocuments. An interrupted stream resumes at the same point in time. */
export async function* exportDocuments(
  { documents: service }: Pick<Services, "documents">,
  factoryLink: string,
  { filter = "", signal }: ExportOptions,
): AsyncGenerator<Document, undefined> {
  let resumeToken = "";
  const open = () =>
    service
      .exportDocuments(
        { factoryLink, filter, resumeToken, bodyFormat: BodyFormat.BODY_FORMAT_JSON },
        signal ? { signal } : {},
      )
      [Symbol.asyncIterator]();
  let pages = open();
  for (;;) {
    const page = await retrying(isTransient, signal, async () => {
      try {
        return await pages.next();
      } catch (error) {
        pages = open();
        throw error;
      }
    });
    if (page.done) return undefined;
    yield* page.value.documents;
    ({ resumeToken } = page.value);
    if (resumeToken === "") return undefined;
  }
}
