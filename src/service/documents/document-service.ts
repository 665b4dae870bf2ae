import type { BodyContext } from "./document-body.js";
import type { ExportPage, ExportRequest } from "./export-documents.js";
import type { DocumentVersion } from "../../document/document.js";

/** Documents of all factories, in the host's own terms; REST, the Xenon dialect and gRPC are thin layers over it. */

export interface WriteOptions extends BodyContext {
  expectedVersion?: number;
  /** POST onto a deleted link goes on from the deleted version. */
  revive?: boolean;
}

export interface ListRequest {
  factoryPath: string;
  /** OData text, as in $filter and $orderby. */
  filter?: string;
  orderBy?: string;
  /** At most this many documents; a page may hold fewer, even none, and still have a next one. */
  limit?: number;
  pageToken?: string;
  /** Where a page ends at the latest, in bytes of bodies. Absent: limits.pageBytes. */
  pageBytes?: number;
  /** The state as of this position of the log; absent: the present one. A page token carries its own. */
  atMicros?: number;
  expand: boolean;
}

export interface ListResult {
  documents: DocumentVersion[];
  nextPageToken?: string;
}

export interface DocumentService {
  /** The factories served, by path. */
  factories(): FactoryDescription[];
  /** The factory of that path, else the one that a document of that link belongs to. */
  factoryOf(path: string): FactoryDescription | undefined;
  /** The factory that a document belongs to, also where its link is a factory of its own. */
  factoryOfDocument(link: string): FactoryDescription | undefined;
  create(factoryPath: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  get(link: string): Promise<DocumentVersion>;
  /** A version of a document of the index, a deleted one too. */
  getVersion(indexLink: string, link: string, version?: number): Promise<DocumentVersion>;
  /**
   * A document of the index as it was at a moment, a deleted one too. DOCUMENT_NOT_FOUND where it was not there yet,
   * TARGET_TIME_OUT_OF_RANGE where what it was then is pruned.
   */
  getAt(indexLink: string, link: string, atMicros: number): Promise<DocumentVersion>;
  listVersions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]>;
  patch(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  replace(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  /** Undefined: it was deleted already. */
  delete(link: string, options?: WriteOptions): Promise<DocumentVersion | undefined>;
  /**
   * Makes the document of that body what its link stands for: created, or put in place of another body; one that is
   * there already is not written again. The body says its documentSelfLink.
   */
  upsert(factoryPath: string, body: string): Promise<Upserted>;
  list(request: ListRequest, signal?: AbortSignal): Promise<ListResult>;
  /** All documents of a factory as they were at one moment, in pages as they are asked for. STREAM_LIMIT where too many go on. */
  export(request: ExportRequest, signal: AbortSignal): AsyncGenerator<ExportPage>;
  /** The position of the log that the factory's documents are in, for listing twice what does not change in between. */
  position(factoryPath: string): Promise<number>;
  /** As of the position given, or the present one. */
  count(
    factoryPath: string,
    filter: string | undefined,
    signal?: AbortSignal,
    atMicros?: number,
  ): Promise<number>;
}

export interface Upserted {
  link: string;
  outcome: "created" | "replaced" | "unchanged";
}

export interface FactoryDescription {
  path: string;
  kind: string;
  indexLink: string;
}
