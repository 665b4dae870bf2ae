import type { DocumentVersion, DocumentWrite } from "../../document/document.js";
import { checkLink, createLink } from "../../document/link.js";
import { parseFilter, parseOrderBy } from "../../document/odata.js";
import type { DocumentStore, PageQuery } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { kindTable, type ReadBody } from "./document-body.js";
import type {
  DocumentService,
  FactoryDescription,
  ListRequest,
  WriteOptions,
} from "./document-service.js";
import { exportDocuments } from "./export-documents.js";
import { factoryTable } from "./factories.js";
import { decodePageToken, encodePageToken } from "./page-token.js";

/** Dependencies of createDocumentService. */
export interface DocumentServiceOptions {
  factories: readonly FactoryDescription[];
  /** Returns the index currently open under a link. Throws INDEX_NOT_FOUND. */
  indexOf: (indexLink: string) => DocumentStore;
  /** Returns the lineage of that index. Both change atomically. */
  lineageOf: (indexLink: string) => string;
  /** documentOwner of written versions. */
  hostId: string;
  /** Generates a unique name for a document without one. */
  newId: () => string;
  readBody: ReadBody;
}

/**
 * Creates the document service. It validates bodies and links; versions and conflicts are handled
 * by the index.
 */
export function createDocumentService(options: DocumentServiceOptions): DocumentService {
  const { indexOf, lineageOf, hostId, newId, readBody } = options;
  const factories = factoryTable(options.factories);
  const kinds = kindTable();

  function factoryAt(path: string): FactoryDescription {
    const factory = factories.at(path);
    if (factory === undefined) throw new HostError("ROUTE_NOT_FOUND", `No factory at ${path}`);
    return factory;
  }

  function factoryOfLink(link: string): FactoryDescription {
    checkLink(link);
    const factory = factories.of(link);
    if (factory === undefined) throw notFound(link);
    return factory;
  }

  async function change(
    action: "PATCH" | "PUT",
    link: string,
    text: string,
    writeOptions: WriteOptions = {},
  ): Promise<DocumentVersion> {
    const factory = factoryOfLink(link);
    const { body, expirationTimeMicros } = await readBody(factory.kind, action, text, writeOptions);
    return written(
      await indexOf(factory.indexLink).write({
        ...common(factory, link, writeOptions),
        action,
        body,
        ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
      }),
      link,
    );
  }

  function common(
    factory: FactoryDescription,
    link: string,
    { expectedVersion, revive }: WriteOptions,
  ): Omit<DocumentWrite, "action" | "body"> {
    return {
      link,
      kind: factory.kind,
      owner: hostId,
      mergeRule: kinds(factory.kind).mergeRule,
      ...(expectedVersion !== undefined && { expectedVersion }),
      ...(revive && { revive }),
    };
  }

  let exporting = 0;
  const service: DocumentService = {
    factories: () => [...factories.all],
    factoryOf: (path) => factories.at(path) ?? factories.of(path),
    factoryOfDocument: (link) => factories.of(link),

    async create(factoryPath, text, writeOptions = {}) {
      const factory = factoryAt(factoryPath);
      const { body, selfLink, expirationTimeMicros } = await readBody(
        factory.kind,
        "POST",
        text,
        writeOptions,
      );
      const link = createLink(factory.path, selfLink, newId);
      return written(
        await indexOf(factory.indexLink).write({
          ...common(factory, link, writeOptions),
          action: "POST",
          body,
          ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
        }),
        link,
      );
    },

    async get(link) {
      const factory = factoryOfLink(link);
      const document = await indexOf(factory.indexLink).read(link);
      if (document === undefined) throw notFound(link);
      if (document.action === "DELETE")
        throw new HostError("DOCUMENT_DELETED", `Document ${link} not found: deleted`, {
          metadata: { link },
        });
      return document;
    },

    async getVersion(indexLink, link, version) {
      checkLink(link);
      const index = indexOf(indexLink);
      const document = await index.read(link, version === undefined ? undefined : { version });
      if (document !== undefined) return document;
      if (version === undefined || (await index.read(link)) === undefined) throw notFound(link);
      throw new HostError(
        "VERSION_NOT_FOUND",
        `Version ${version} of ${link} not found: it was never written, or it was pruned.`,
        {
          metadata: { link },
        },
      );
    },

    async getAt(indexLink, link, atMicros) {
      checkLink(link);
      const document = await indexOf(indexLink).read(link, { atMicros });
      if (document === undefined) throw notFound(link);
      return document;
    },

    async listVersions(link, limit, beforeVersion) {
      const factory = factoryOfLink(link);
      const bounded = Math.min(Math.max(limit, 1), limits.pageRowsMax);
      const versions = await indexOf(factory.indexLink).versions(link, bounded, beforeVersion);
      if (versions.length === 0 && beforeVersion === undefined) throw notFound(link);
      return versions;
    },

    patch: (link, body, writeOptions) => change("PATCH", link, body, writeOptions),
    replace: (link, body, writeOptions) => change("PUT", link, body, writeOptions),

    async delete(link, writeOptions = {}) {
      const factory = factoryOfLink(link);
      return indexOf(factory.indexLink).write({
        ...common(factory, link, writeOptions),
        action: "DELETE",
        body: "",
      });
    },

    async upsert(factoryPath, text) {
      const factory = factoryAt(factoryPath);
      const { kind } = factory;
      const { body: postBody, selfLink, expirationTimeMicros } = await readBody(kind, "POST", text);
      if (selfLink === undefined || selfLink === "") {
        throw new HostError(
          "REQUEST_INVALID",
          "The document has no documentSelfLink, so that a retry would create a duplicate.",
          { metadata: { field: "documentSelfLink" } },
        );
      }
      // A complete link of another factory, as in exports, would become a different document below
      // this factory.
      if (/^\/[^/]+\/./.test(selfLink) && !selfLink.startsWith(`${factory.path}/`)) {
        throw new HostError(
          "LINK_INVALID",
          `Document ${JSON.stringify(selfLink.slice(0, 200))} does not belong to ${factory.path}. Import it into its own factory.`,
          { metadata: { field: "documentSelfLink" } },
        );
      }
      const link = createLink(factory.path, selfLink, newId);
      const index = indexOf(factory.indexLink);
      const write = {
        ...common(factory, link, {}),
        ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
      };
      const replace = async () => {
        written(
          await index.write({
            ...write,
            action: "PUT",
            body: (await readBody(kind, "PUT", text)).body,
          }),
          link,
        );
        return { link, outcome: "replaced" as const };
      };
      const current = await index.read(link);
      if (current === undefined || current.action === "DELETE") {
        try {
          written(
            await index.write({ ...write, action: "POST", body: postBody, revive: true }),
            link,
          );
          return { link, outcome: "created" };
        } catch (error) {
          // Created concurrently; the last writer wins.
          if (error instanceof HostError && error.reason === "DOCUMENT_EXISTS") return replace();
          throw error;
        }
      }
      const same =
        current.body === postBody || current.body === (await readBody(kind, "PUT", text)).body;
      return same && current.expirationTimeMicros === (expirationTimeMicros ?? 0)
        ? { link, outcome: "unchanged" }
        : replace();
    },

    async list(request, signal) {
      const factory = factoryAt(request.factoryPath);
      // Read synchronously: a switch in between would pair a cursor with the wrong lineage.
      const lineage = lineageOf(factory.indexLink);
      const index = indexOf(factory.indexLink);
      const page = await index.page(pageQuery(factory, request, lineage), signal);
      if (page.cursor === undefined) return { documents: page.documents };
      return {
        documents: page.documents,
        nextPageToken: encodePageToken(page.cursor, lineage, request),
      };
    },

    async *export(request, signal) {
      // Each export holds a page in memory, even if its reader is slow.
      if (exporting >= limits.exports)
        throw new HostError(
          "STREAM_LIMIT",
          `Limit of ${exporting} concurrent exports reached. Wait for one to end.`,
        );
      exporting += 1;
      try {
        yield* exportDocuments(service, request, signal);
      } finally {
        exporting -= 1;
      }
    },

    async position(factoryPath) {
      return (await indexOf(factoryAt(factoryPath).indexLink).state()).positionMicros;
    },

    async count(factoryPath, filter, signal, atMicros) {
      const factory = factoryAt(factoryPath);
      const query = {
        linkPrefix: `${factory.path}/`,
        ...(filter !== undefined && { filter: parseFilter(filter) }),
        ...(atMicros !== undefined && { atMicros }),
      };
      return indexOf(factory.indexLink).count(query, signal);
    },
  };
  return service;
}

function pageQuery(factory: FactoryDescription, request: ListRequest, lineage: string): PageQuery {
  const { filter, orderBy, pageToken, pageBytes, atMicros, limit = limits.pageRows } = request;
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new HostError("REQUEST_INVALID", "The page size must be a positive integer.");
  }
  return {
    linkPrefix: `${factory.path}/`,
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

function notFound(link: string): HostError {
  return new HostError("DOCUMENT_NOT_FOUND", `Document ${link} not found`, { metadata: { link } });
}
