import type { FieldDifference } from "../../document/compare.js";
import type { BodyContext } from "./document-body.js";
import type { DocumentVersion } from "../../document/document.js";

// The protocol-independent API for documents. REST, gRPC and the Xenon API are thin layers over it.

/** Options of a write. */
export interface WriteOptions extends BodyContext {
  /** If set, the write fails with VERSION_MISMATCH unless this is the current version. */
  expectedVersion?: number;
  /** Lets a POST to a deleted link continue from the deleted version. */
  revive?: boolean;
}

/** Request to list documents. */
export interface ListRequest {
  factoryPath: string;
  /** OData expressions as in $filter and $orderby. */
  filter?: string;
  orderBy?: string;
  /**
   * Maximum number of documents. A page may contain fewer, even none, and still have a next page.
   * Default: limits.pageRows.
   */
  limit?: number;
  pageToken?: string;
  /** Maximum size of a page in bytes of bodies. Default: limits.pageBytes. */
  pageBytes?: number;
  /** Position of the log to list. Default: current. Page tokens contain their own. */
  atMicros?: number;
  /** Index to read. Default: that of the factory. */
  indexLink?: string;
  /** Whether the pages of one listing must have the same atMicros. Default: page tokens contain their own. */
  isAtFixed?: boolean;
  /** Whether to return bodies. */
  expand: boolean;
}

/** A page of documents. */
export interface ListResult {
  documents: DocumentVersion[];
  nextPageToken?: string;
}

/** Request to export documents. */
export interface ExportRequest {
  factoryPath: string;
  filter?: string;
  /** Resumes an interrupted export. Default: a new export of the current state. */
  resumeToken?: string;
  expand: boolean;
}

/** A page of exported documents. */
export interface ExportPage {
  documents: DocumentVersion[];
  /** Token to resume after this page; undefined for the last page. */
  resumeToken?: string;
}

/** Operations on documents of all factories. */
export interface DocumentService {
  /** Returns the served factories. */
  factories(): FactoryDescription[];
  /** Returns the factory with the path, or else the factory of the document with this link. */
  factoryOf(path: string): FactoryDescription | undefined;
  /** Returns the factory of a document, even if its link is also the path of a factory. */
  factoryOfDocument(link: string): FactoryDescription | undefined;
  /** Creates a document. Throws DOCUMENT_EXISTS and the errors of ReadBody. */
  create(factoryPath: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  /** Reads a document. Throws DOCUMENT_NOT_FOUND or DOCUMENT_DELETED. */
  get(link: string): Promise<DocumentVersion>;
  /**
   * Reads a version of a document, including deletions. Default: the latest version. Throws
   * VERSION_NOT_FOUND.
   */
  getVersion(indexLink: string, link: string, version?: number): Promise<DocumentVersion>;
  /**
   * Reads a document at a point in time, including deletions. Throws DOCUMENT_NOT_FOUND if it did
   * not exist yet, and TARGET_TIME_OUT_OF_RANGE if the version was pruned.
   */
  getAt(indexLink: string, link: string, atMicros: number): Promise<DocumentVersion>;
  /** Lists versions, newest first. Default index: that of the document's factory. */
  listVersions(
    link: string,
    limit: number,
    beforeVersion?: number,
    indexLink?: string,
  ): Promise<DocumentVersion[]>;
  /**
   * Compares two versions field by field. Default of the first: the version before the second. Throws
   * VERSION_NOT_FOUND, and TARGET_TIME_OUT_OF_RANGE if a version was compacted.
   */
  compareVersions(
    link: string,
    from: VersionSelector | undefined,
    to: VersionSelector,
  ): Promise<VersionComparison>;
  /** Merges fields into a document. */
  patch(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  /** Replaces the body of a document. */
  replace(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  /** Deletes a document. Returns undefined if it was already deleted. */
  delete(link: string, options?: WriteOptions): Promise<DocumentVersion | undefined>;
  /**
   * Creates the document with the link in the body, or replaces its body. Writes nothing if the
   * document is unchanged. The body must contain documentSelfLink.
   */
  upsert(factoryPath: string, body: string): Promise<Upserted>;
  /** Lists the documents of a factory. */
  list(request: ListRequest, signal?: AbortSignal): Promise<ListResult>;
  /**
   * Exports all documents of a factory at one point in time, page by page. Throws STREAM_LIMIT for
   * too many concurrent exports.
   */
  export(request: ExportRequest, signal: AbortSignal): AsyncGenerator<ExportPage>;
  /** Returns the current log position of the factory's index, for repeatable listings. */
  position(factoryPath: string): Promise<number>;
  /** Counts the documents of a factory at a log position (default: current). */
  count(
    factoryPath: string,
    filter: string | undefined,
    signal?: AbortSignal,
    atMicros?: number,
  ): Promise<number>;
}

/** Selects a version of a document: by its number, or that of a point in time. Default: the latest. */
export interface VersionSelector {
  indexLink: string;
  version?: number;
  atMicros?: number;
}

/** How two versions of a document differ. */
export interface VersionComparison {
  /** Absent: there is no version before the second one. */
  from?: DocumentVersion;
  to: DocumentVersion;
  /** At most limits.fieldDifferences. */
  differences: FieldDifference[];
  truncated: boolean;
}

/** Result of an upsert. */
export interface Upserted {
  link: string;
  outcome: "created" | "replaced" | "unchanged";
}

/** A factory: the path below which documents of a kind are stored in an index. */
export interface FactoryDescription {
  path: string;
  kind: string;
  indexLink: string;
}
