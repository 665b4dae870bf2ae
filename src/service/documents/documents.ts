import type { DocumentVersion, DocumentWrite } from "../../document/document.js";
import { checkLink, createLink } from "../../document/link.js";
import { parseFilter, parseOrderBy } from "../../document/odata.js";
import { keepText } from "../../document/render.js";
import type { DocumentReader, DocumentStore, PageQuery } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { CompareBodies } from "./body-reader.js";
import { kindTable, type ReadBody } from "./document-body.js";
import type {
  DocumentService,
  ExportPage,
  ExportRequest,
  FactoryDescription,
  ListRequest,
  ListResult,
  Upserted,
  VersionComparison,
  VersionSelector,
  WriteOptions,
} from "./document-service.js";
import { exportDocuments } from "./export-documents.js";
import { factoryTable } from "./factories.js";
import { decodePageToken, encodePageToken } from "./page-token.js";

/** An index to read from. */
export interface IndexReader extends DocumentReader {
  /** Identifies the history of documents, and changes together with what is read. */
  lineage(): string;
}

/** Dependencies of Documents. */
export interface DocumentServiceOptions {
  factories: readonly FactoryDescription[];
  /** Returns the index to write to. Throws INDEX_NOT_FOUND. */
  indexOf: (indexLink: string) => DocumentStore;
  /** Returns the index to read from, which may be an opened backup. Throws INDEX_NOT_FOUND. */
  readerOf: (indexLink: string) => IndexReader;
  /** documentOwner of written versions. */
  hostId: string;
  /** Generates a unique name for a document without one. */
  newId: () => string;
  readBody: ReadBody;
  compareBodies: CompareBodies;
}

/**
 * The document service. It validates bodies and links; versions and conflicts are handled by the
 * index.
 */
export class Documents implements DocumentService {
  private readonly table: ReturnType<typeof factoryTable>;
  private readonly kinds = kindTable();
  private exporting = 0;

  constructor(private readonly options: DocumentServiceOptions) {
    this.table = factoryTable(options.factories);
  }

  factories(): FactoryDescription[] {
    return [...this.table.all];
  }

  factoryOf(path: string): FactoryDescription | undefined {
    return this.table.at(path) ?? this.table.of(path);
  }

  factoryOfDocument(link: string): FactoryDescription | undefined {
    return this.table.of(link);
  }

  async create(
    factoryPath: string,
    text: string,
    writeOptions: WriteOptions = {},
  ): Promise<DocumentVersion> {
    const factory = this.requireFactory(factoryPath);
    const { body, selfLink, expirationTimeMicros } = await this.options.readBody(
      factory.kind,
      "POST",
      text,
      writeOptions,
    );
    const link = createLink(factory.path, selfLink, this.options.newId);
    return written(
      await this.options.indexOf(factory.indexLink).write({
        ...this.common(factory, link, writeOptions),
        action: "POST",
        body,
        ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
      }),
      link,
    );
  }

  async get(link: string): Promise<DocumentVersion> {
    const factory = this.requireFactoryOf(link);
    const reader = this.options.readerOf(factory.indexLink);
    const kept = reader.peek?.(link);
    if (kept) keepText(kept);
    const document = kept ?? (await reader.read(link));
    if (document === undefined) throw notFound(link);
    if (document.action === "DELETE")
      throw new HostError("DOCUMENT_DELETED", `Document ${link} not found: deleted`, {
        metadata: { link },
      });
    return document;
  }

  async getVersion(indexLink: string, link: string, version?: number): Promise<DocumentVersion> {
    checkLink(link);
    const index = this.options.readerOf(indexLink);
    const document = await index.read(link, version === undefined ? undefined : { version });
    if (document !== undefined) return document;
    if (version === undefined || (await index.read(link)) === undefined) throw notFound(link);
    throw new HostError(
      "VERSION_NOT_FOUND",
      `Version ${version} of ${link} not found: it was never written, or it was compacted.`,
      { metadata: { link } },
    );
  }

  async getAt(indexLink: string, link: string, atMicros: number): Promise<DocumentVersion> {
    checkLink(link);
    const document = await this.options.readerOf(indexLink).read(link, { atMicros });
    if (document === undefined) throw notFound(link);
    return document;
  }

  async listVersions(
    link: string,
    limit: number,
    beforeVersion?: number,
    indexLink = this.requireFactoryOf(link).indexLink,
  ): Promise<DocumentVersion[]> {
    checkLink(link);
    const bounded = Math.min(Math.max(limit, 1), limits.pageRowsMax);
    const versions = await this.options.readerOf(indexLink).versions(link, bounded, beforeVersion);
    if (versions.length === 0 && beforeVersion === undefined) throw notFound(link);
    return versions;
  }

  async compareVersions(
    link: string,
    from: VersionSelector | undefined,
    to: VersionSelector,
  ): Promise<VersionComparison> {
    const second = await this.select(link, to);
    const before = { indexLink: to.indexLink, version: second.version - 1 };
    const first = from || second.version > 0 ? await this.select(link, from ?? before) : undefined;
    return {
      ...(first && { from: first }),
      to: second,
      ...(await this.options.compareBodies(fieldsOf(first), fieldsOf(second))),
    };
  }

  private select(
    link: string,
    { indexLink, version, atMicros }: VersionSelector,
  ): Promise<DocumentVersion> {
    return atMicros === undefined
      ? this.getVersion(indexLink, link, version)
      : this.getAt(indexLink, link, atMicros);
  }

  patch(link: string, body: string, writeOptions?: WriteOptions): Promise<DocumentVersion> {
    return this.change("PATCH", link, body, writeOptions);
  }

  replace(link: string, body: string, writeOptions?: WriteOptions): Promise<DocumentVersion> {
    return this.change("PUT", link, body, writeOptions);
  }

  async delete(
    link: string,
    writeOptions: WriteOptions = {},
  ): Promise<DocumentVersion | undefined> {
    const factory = this.requireFactoryOf(link);
    return this.options.indexOf(factory.indexLink).write({
      ...this.common(factory, link, writeOptions),
      action: "DELETE",
      body: "",
    });
  }

  async upsert(factoryPath: string, text: string): Promise<Upserted> {
    const factory = this.requireFactory(factoryPath);
    const { readBody, newId } = this.options;
    const created = await readBody(factory.kind, "POST", text);
    requireOwnLink(factory, created.selfLink);
    const link = createLink(factory.path, created.selfLink, newId);
    const index = this.options.indexOf(factory.indexLink);
    const { expirationTimeMicros } = created;
    const write = {
      ...this.common(factory, link, {}),
      ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
    };
    const replace = async (): Promise<Upserted> => {
      const { body } = await readBody(factory.kind, "PUT", text);
      written(await index.write({ ...write, action: "PUT", body }), link);
      return { link, outcome: "replaced" };
    };
    const current = await index.read(link);
    if (current === undefined || current.action === "DELETE") {
      try {
        const { body } = created;
        written(await index.write({ ...write, action: "POST", body, revive: true }), link);
        return { link, outcome: "created" };
      } catch (error) {
        // Created concurrently; the last writer wins.
        if (error instanceof HostError && error.reason === "DOCUMENT_EXISTS") return replace();
        throw error;
      }
    }
    const same =
      current.body === created.body ||
      current.body === (await readBody(factory.kind, "PUT", text)).body;
    return same && current.expirationTimeMicros === (expirationTimeMicros ?? 0)
      ? { link, outcome: "unchanged" }
      : replace();
  }

  async list(request: ListRequest, signal?: AbortSignal): Promise<ListResult> {
    // An opened backup may have documents of factories that this host does not have.
    const { path, indexLink } =
      request.indexLink === undefined
        ? this.requireFactory(request.factoryPath)
        : { path: request.factoryPath.replace(/\/+$/, ""), indexLink: request.indexLink };
    // Read synchronously: a switch in between would pair a cursor with the wrong lineage.
    const index = this.options.readerOf(indexLink);
    const lineage = index.lineage();
    const page = await index.page(pageQuery(path, request, lineage), signal);
    // Another host switched the index, which shows with the read: a token of before is refused now.
    if (index.lineage() !== lineage) return this.list(request, signal);
    if (page.cursor === undefined) return { documents: page.documents };
    return {
      documents: page.documents,
      nextPageToken: encodePageToken(page.cursor, lineage, request),
    };
  }

  async *export(request: ExportRequest, signal: AbortSignal): AsyncGenerator<ExportPage> {
    // Each export holds a page in memory, even if its reader is slow.
    if (this.exporting >= limits.exports)
      throw new HostError(
        "STREAM_LIMIT",
        `Limit of ${this.exporting} concurrent exports reached. Wait for one to end.`,
      );
    this.exporting += 1;
    try {
      yield* exportDocuments(this, request, signal);
    } finally {
      this.exporting -= 1;
    }
  }

  async position(factoryPath: string): Promise<number> {
    const { indexLink } = this.requireFactory(factoryPath);
    return (await this.options.readerOf(indexLink).state()).positionMicros;
  }

  async count(
    factoryPath: string,
    filter: string | undefined,
    signal?: AbortSignal,
    atMicros?: number,
  ): Promise<number> {
    const factory = this.requireFactory(factoryPath);
    const query = {
      linkPrefix: `${factory.path}/`,
      ...(filter !== undefined && { filter: parseFilter(filter) }),
      ...(atMicros !== undefined && { atMicros }),
    };
    return this.options.readerOf(factory.indexLink).count(query, signal);
  }

  private requireFactory(path: string): FactoryDescription {
    const factory = this.table.at(path);
    if (factory === undefined)
      throw new HostError(
        "ROUTE_NOT_FOUND",
        `No factory at ${path}. Start the host with --factory to add it.`,
      );
    return factory;
  }

  private requireFactoryOf(link: string): FactoryDescription {
    checkLink(link);
    const factory = this.table.of(link);
    if (factory === undefined) throw notFound(link);
    return factory;
  }

  private async change(
    action: "PATCH" | "PUT",
    link: string,
    text: string,
    writeOptions: WriteOptions = {},
  ): Promise<DocumentVersion> {
    const factory = this.requireFactoryOf(link);
    const { body, expirationTimeMicros } = await this.options.readBody(
      factory.kind,
      action,
      text,
      writeOptions,
    );
    return written(
      await this.options.indexOf(factory.indexLink).write({
        ...this.common(factory, link, writeOptions),
        action,
        body,
        ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
      }),
      link,
    );
  }

  /** Returns the fields that all writes of a document have in common. */
  private common(
    factory: FactoryDescription,
    link: string,
    { expectedVersion, revive }: WriteOptions,
  ): Omit<DocumentWrite, "action" | "body"> {
    return {
      link,
      kind: factory.kind,
      owner: this.options.hostId,
      mergeRule: this.kinds(factory.kind).mergeRule,
      ...(expectedVersion !== undefined && { expectedVersion }),
      ...(revive && { revive }),
    };
  }
}

/** Requires the link of an imported document, which must belong to the factory. */
function requireOwnLink({ path }: FactoryDescription, selfLink: string | undefined): void {
  if (selfLink === undefined || selfLink === "") {
    throw new HostError(
      "REQUEST_INVALID",
      "The document has no documentSelfLink, so that a retry would create a duplicate.",
      { metadata: { field: "documentSelfLink" } },
    );
  }
  // A complete link of another factory, as in exports, would become a different document below
  // this factory.
  if (/^\/[^/]+\/./.test(selfLink) && !selfLink.startsWith(`${path}/`)) {
    throw new HostError(
      "LINK_INVALID",
      `Document ${JSON.stringify(selfLink.slice(0, 200))} does not belong to ${path}. Import it into its own factory.`,
      { metadata: { field: "documentSelfLink" } },
    );
  }
}

function pageQuery(factoryPath: string, request: ListRequest, lineage: string): PageQuery {
  const { filter, orderBy, pageToken, pageBytes, atMicros, limit = limits.pageRows } = request;
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new HostError("REQUEST_INVALID", "The page size must be a positive integer.");
  }
  return {
    linkPrefix: `${factoryPath}/`,
    limit: Math.min(limit, limits.pageRowsMax),
    expand: request.expand,
    ...(filter !== undefined && { filter: parseFilter(filter) }),
    ...(orderBy !== undefined && { orderBy: parseOrderBy(orderBy) }),
    ...(pageToken !== undefined && { cursor: decodePageToken(pageToken, lineage, request) }),
    ...(atMicros !== undefined && { atMicros }),
    ...(pageBytes !== undefined && { pageBytes }),
  };
}

function written(document: DocumentVersion | undefined, link: string): DocumentVersion {
  if (document === undefined) throw notFound(link);
  return document;
}

/** A deletion keeps the body of before, for those who look it up. */
const fieldsOf = (version: DocumentVersion | undefined) =>
  version === undefined || version.action === "DELETE" ? "" : version.body;

function notFound(link: string): HostError {
  return new HostError("DOCUMENT_NOT_FOUND", `Document ${link} not found`, { metadata: { link } });
}
