import type { DocumentVersion } from "../../document/document.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { DocumentStore, IndexState, PageQuery, RunInSlot } from "../engine.js";
import type { ReaderAnswer, ReaderCall } from "./reader.js";
import type { PartialCount, PartialPage } from "./scan.js";

/** The threads that read an index; one thread may do both. */
export interface ReadingThreads {
  /** Runs a short read. */
  read(call: ReaderCall): Promise<ReaderAnswer>;
  /** Runs a scan, which other reads must not wait for. */
  scan(call: ReaderCall): Promise<ReaderAnswer>;
  nowMicros(): number;
}

const withoutWaiting: RunInSlot = (slice) => slice();

/** The reading half of a document store. */
export type StoreReads = Omit<DocumentStore, "write">;

/** Implements the reads of a document store by calls to the threads that read. */
export function createStoreReads({ read, scan, nowMicros }: ReadingThreads): StoreReads {
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
    async page(query, signal, inSlot = withoutWaiting) {
      // A slow scan answers in parts, and other reads of the thread run between the parts.
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
        const part = (await inSlot(() =>
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
    async count(query, signal, inSlot = withoutWaiting) {
      let count = 0;
      let cursor: string | undefined;
      do {
        if (signal?.aborted) throw HostError.from(signal.reason);
        const from = cursor === undefined ? {} : { cursor };
        const part = (await inSlot(() =>
          scan({ kind: "count", call: { query, ...from } }),
        )) as PartialCount;
        count += part.count;
        cursor = part.cursor;
      } while (cursor !== undefined);
      return count;
    },
  };
}
