import type { DocumentVersion } from "../../document/document.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { DocumentStore, IndexState, PageQuery, Turn } from "../engine.js";
import type { ReaderAnswer, ReaderCall } from "./reader.js";
import type { PartialCount, PartialPage } from "./scan.js";

/** Threads that read; one may do both. */
export interface ReadingThreads {
  /** For what is short. */
  read(call: ReaderCall): Promise<ReaderAnswer>;
  /** For scans, which others would have to wait for. */
  scan(call: ReaderCall): Promise<ReaderAnswer>;
  nowMicros(): number;
}

const atOnce: Turn = (slice) => slice();

/** The reads of a store, each as the calls that it takes. */
export function storeReads({
  read,
  scan,
  nowMicros,
}: ReadingThreads): Omit<DocumentStore, "write"> {
  return {
    read: async (link, at = {}) =>
      (await read({ kind: "read", link, ...at })) as DocumentVersion | undefined,
    versions: async (link, limit, beforeVersion) =>
      (await scan({
        kind: "versions",
        link,
        limit,
        ...(beforeVersion !== undefined && { beforeVersion }),
      })) as DocumentVersion[],
    state: async () => (await read({ kind: "state", nowMicros: nowMicros() })) as IndexState,
    async page(query, signal, turn = atOnce) {
      // A slow scan answers in parts; each part lets other reads of the thread in between.
      const documents: DocumentVersion[] = [];
      let bytes = 0;
      let cursor = query.cursor;
      do {
        if (signal?.aborted) throw HostError.from(signal.reason);
        const rest: PageQuery = {
          ...query,
          limit: query.limit - documents.length,
          ...(cursor !== undefined && { cursor }),
        };
        const part = (await turn(() =>
          scan({ kind: "page", call: { query: rest } }),
        )) as PartialPage;
        for (const document of part.documents) {
          documents.push(document);
          bytes += document.body.length;
        }
        cursor = part.cursor;
      } while (
        cursor !== undefined &&
        documents.length < query.limit &&
        bytes < (query.pageBytes ?? limits.pageBytes)
      );
      return { documents, ...(cursor !== undefined && { cursor }) };
    },
    async count(query, signal, turn = atOnce) {
      let count = 0;
      let cursor: string | undefined;
      do {
        if (signal?.aborted) throw HostError.from(signal.reason);
        const from = cursor === undefined ? {} : { cursor };
        const part = (await turn(() =>
          scan({ kind: "count", call: { query, ...from } }),
        )) as PartialCount;
        count += part.count;
        cursor = part.cursor;
      } while (cursor !== undefined);
      return count;
    },
  };
}
