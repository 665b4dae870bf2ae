import type { Services } from "./services.js";
import { HoldfastError, isTransient } from "./error.js";
import {
  BodyFormat,
  type Document,
  type ImportDocumentsRequest,
  type ImportDocumentsResponse,
} from "./gen/holdfast/document/v1/document.js";
import { retrying } from "./retry.js";

export interface ImportOptions {
  /** Documents at the beginning that an earlier import has written already. */
  skip?: bigint | undefined;
  onProgress?: ((progress: ImportDocumentsResponse) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export type ImportResult = Omit<ImportDocumentsResponse, "done">;

export interface ExportOptions {
  /** An OData condition. */
  filter?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A cut is not gone on with by itself, since what was given may be read once only; progress says where to. */
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
      `The import was cut; ${last?.documents ?? skip} documents are written. Go on with them as skip.`,
      14,
    );
  const { done: _done, ...result } = last;
  return result;
}

/** A cut is gone on with, at the same moment. */
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
