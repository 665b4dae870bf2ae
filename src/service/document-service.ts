import type { DocumentVersion } from "../document/document.js";

/** Documents of all factories, in the host's own terms; REST, the Xenon dialect and gRPC are thin layers over it. */

export interface WriteOptions {
  expectedVersion?: number;
  /** POST onto a deleted link goes on from the deleted version. */
  revive?: boolean;
}

export interface ListRequest {
  factoryPath: string;
  /** OData text, as in $filter and $orderby. */
  filter?: string;
  orderBy?: string;
  limit?: number;
  pageToken?: string;
  expand: boolean;
}

export interface ListResult {
  documents: DocumentVersion[];
  nextPageToken?: string;
}

export interface DocumentService {
  /** The factories served, by path. */
  factories(): FactoryDescription[];
  factoryOf(path: string): FactoryDescription | undefined;
  create(factoryPath: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  get(link: string): Promise<DocumentVersion>;
  /** A version of a document of the index, a deleted one too. */
  getVersion(indexLink: string, link: string, version?: number): Promise<DocumentVersion>;
  listVersions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]>;
  patch(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  replace(link: string, body: string, options?: WriteOptions): Promise<DocumentVersion>;
  /** Undefined: it was deleted already. */
  delete(link: string, options?: WriteOptions): Promise<DocumentVersion | undefined>;
  list(request: ListRequest, signal?: AbortSignal): Promise<ListResult>;
  count(factoryPath: string, filter: string | undefined, signal?: AbortSignal): Promise<number>;
}

export interface FactoryDescription {
  path: string;
  kind: string;
  indexLink: string;
}
