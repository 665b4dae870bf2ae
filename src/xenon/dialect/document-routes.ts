import type { IncomingMessage, ServerResponse } from "node:http";
import type { DocumentVersion } from "../../document/document.js";
import { renderDocument } from "../../document/render.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type {
  DocumentService,
  FactoryDescription,
  WriteOptions,
} from "../../service/documents/document-service.js";
import { readText } from "../../transport/http/body.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import { noSniff, sendJson, sendLongJson } from "../../transport/http/respond.js";
import type { DialectAccess } from "./access.js";
import { sendListing } from "./listing.js";
import { readPast, type Past } from "./past.js";
import { etagOf, expectedVersion, isUnchanged } from "./preconditions.js";
import { utilityText } from "./utility-services.js";
import { parametersOf, refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

/** Dependencies of createDocumentRoutes. */
export interface DocumentRoutes {
  documents: DocumentService;
  /**
   * Links of the indexes that serve old versions: GET
   * <index>?documentSelfLink=..&documentVersion=..
   */
  indexLinks: readonly string[];
  hostId: string;
  startTimeMicros: number;
  access: DialectAccess;
}

/** Serves factories, documents and versions of an index with the paths and responses of Xenon. */
export function createDocumentRoutes({
  documents,
  indexLinks,
  hostId,
  startTimeMicros,
  access,
}: DocumentRoutes): HttpHandler {
  const indexes = new Set(indexLinks);

  return async (request, response, signal) => {
    const { path, query } = targetOf(request.url ?? "");
    const factory = documents.factoryOf(path);
    if (factory !== undefined) {
      access.requireIndexes(request, [factory.indexLink]);
      if (path === factory.path || path === `${factory.path}/`)
        await onFactory(request, response, factory, query, signal);
      else await onDocument(request, response, factory, withoutSlash(path), query);
      return true;
    }
    if (!indexes.has(path)) return false;
    if (request.method !== "GET") refuseMethod(request, "GET");
    access.requireRole(request, "read");
    access.requireIndexes(request, [path]);
    await sendDocument(response, await versionOf(path, query));
    return true;
  };

  async function onFactory(
    request: IncomingMessage,
    response: ServerResponse,
    factory: FactoryDescription,
    query: string,
    signal: () => AbortSignal,
  ): Promise<void> {
    if (request.method === "POST") {
      access.requireRole(request, "write");
      const options = await writeOptions(request, () => Promise.reject(ambiguousMatch()));
      const text = await bodyOf(request);
      await sendDocument(response, await documents.create(factory.path, text, options));
    } else if (request.method === "GET") {
      access.requireRole(request, "read");
      await sendListing({
        documents,
        factory,
        hostId,
        parameters: parametersOf(query),
        response,
        signal: signal(),
      });
    } else refuseMethod(request, "GET, POST");
  }

  async function onDocument(
    request: IncomingMessage,
    response: ServerResponse,
    factory: FactoryDescription,
    link: string,
    query: string,
  ): Promise<void> {
    switch (request.method) {
      case "GET":
      case "HEAD": {
        access.requireRole(request, "read");
        const past = query === "" ? {} : readPast(parametersOf(query));
        const document = await stateOf(factory, link, past).catch((thrown: unknown) =>
          utilityOrThrow(thrown, factory, link, query),
        );
        if (typeof document === "string") sendJson(response, 200, document);
        else if (isUnchanged(request, document.version))
          response.writeHead(304, ["etag", etagOf(document.version), ...noSniff]).end();
        else await sendDocument(response, document);
        return;
      }
      case "PATCH":
      case "PUT": {
        access.requireRole(request, "write");
        const options = await writeOptions(request, () => currentVersion(link));
        const text = await bodyOf(request);
        if (text === "" && request.method === "PATCH")
          throw new HostError("REQUEST_INVALID", "body is required");
        const changed =
          request.method === "PATCH"
            ? documents.patch(link, text, options)
            : documents.replace(link, text, options);
        await sendDocument(response, await changed);
        return;
      }
      case "DELETE": {
        access.requireRole(request, "write");
        const options = await writeOptions(request, () => currentVersion(link));
        const remove = () =>
          documents
            .delete(link, options)
            .catch((thrown: unknown) => ignoreMissing(thrown, options));
        const deleted = await access.audited(
          request,
          { action: "DeleteDocument", subject: link },
          remove,
        );
        if (deleted === undefined) sendJson(response, 200, "");
        else await sendDocument(response, deleted);
        return;
      }
      default:
        refuseMethod(request, "GET, HEAD, PATCH, PUT, DELETE");
    }
  }

  /**
   * Returns the state of a utility service (/available, /config, /stats, /template), unless a
   * document has that link.
   */
  async function utilityOrThrow(
    thrown: unknown,
    factory: FactoryDescription,
    link: string,
    query: string,
  ): Promise<string> {
    const isMissing = query === "" && thrown instanceof HostError && thrown.code === "NOT_FOUND";
    const text = isMissing ? utilityText(factory, link, { hostId, startTimeMicros }) : undefined;
    if (text === undefined) throw thrown;
    const service = link.slice(0, link.lastIndexOf("/"));
    if (service !== factory.path) await documents.get(service);
    return text;
  }

  async function currentVersion(link: string): Promise<number> {
    return (await documents.get(link)).version;
  }

  /**
   * Returns the current document, or the requested version or point in time. Throws if it was
   * deleted at that time.
   */
  async function stateOf(
    factory: FactoryDescription,
    link: string,
    { version, atMicros }: Past,
  ): Promise<DocumentVersion> {
    if (version !== undefined) return documents.getVersion(factory.indexLink, link, version);
    if (atMicros === undefined) return documents.get(link);
    const document = await documents.getAt(factory.indexLink, link, atMicros);
    if (document.action === "DELETE")
      throw new HostError("DOCUMENT_DELETED", `Service not found: ${link}`, { metadata: { link } });
    return document;
  }

  /** Returns a version of any document of an index, including deleted ones. */
  async function versionOf(indexLink: string, query: string): Promise<DocumentVersion> {
    const parameters = parametersOf(query);
    const link = parameters.get("documentSelfLink");
    if (link === undefined || link === "") {
      throw new HostError(
        "REQUEST_INVALID",
        `documentSelfLink is required: ${indexLink}?documentSelfLink=<link>&documentVersion=<number>.`,
      );
    }
    const { version, atMicros } = readPast(parameters);
    return atMicros === undefined
      ? documents.getVersion(indexLink, link, version)
      : documents.getAt(indexLink, link, atMicros);
  }
}

/**
 * Lets a DELETE of a document that never existed succeed, as in Xenon, unless the request has a
 * condition.
 */
function ignoreMissing(thrown: unknown, { expectedVersion: expected }: WriteOptions): undefined {
  if (
    expected === undefined &&
    thrown instanceof HostError &&
    thrown.reason === "DOCUMENT_NOT_FOUND"
  )
    return undefined;
  throw thrown;
}

/** Removes a trailing slash, which Xenon ignores too. */
function withoutSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function ambiguousMatch(): HostError {
  return new HostError(
    "REQUEST_INVALID",
    "If-Match with several ETags cannot be sent to a factory.",
  );
}

async function writeOptions(
  request: IncomingMessage,
  currentVersion: () => Promise<number>,
): Promise<WriteOptions> {
  const { headers } = request;
  if (headers["if-match"] === undefined && headers.pragma === undefined) return noOptions;
  const expected = await expectedVersion(request, currentVersion);
  const directives = headers.pragma?.split(/[;,]/).map((one) => one.trim().toLowerCase()) ?? [];
  return {
    ...(expected !== undefined && { expectedVersion: expected }),
    ...(directives.includes("xn-force-index-update") && { revive: true }),
    ...(directives.includes("xn-from-migration") && { fromMigration: true }),
  };
}

const noOptions: WriteOptions = {};

function bodyOf(request: IncomingMessage): Promise<string> {
  requireJsonBody(request);
  return readText(request, limits.documentBytes);
}

function sendDocument(response: ServerResponse, document: DocumentVersion): Promise<void> {
  return sendLongJson(response, 200, renderDocument(document), ["etag", etagOf(document.version)]);
}
