import type { Registry } from "@bufbuild/protobuf";
import type { IncomingMessage } from "node:http";
import { DocumentService as DocumentServiceDescriptor } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { renderDocument } from "../../document/render.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Access } from "../../security/access.js";
import type { Hold } from "../../security/shares.js";
import type { Auditor } from "../../service/host/auditor.js";
import type { DocumentService } from "../../service/documents/document-service.js";
import { importDocuments } from "../../service/documents/import-documents.js";
import type { Authorize } from "../../api/policy/authorization.js";
import { bodyChunks } from "../http/body.js";
import { callerOf } from "../http/caller.js";
import { holdOf } from "../http/held-bytes.js";
import type { HttpHandler } from "../http/handler.js";
import { hostErrorOf, type OnInternalError } from "../../api/status.js";
import { errorJson, sendError } from "./answer.js";
import { decodeUtf8 } from "../../document/utf8.js";
import { splitLines } from "../../io/lines.js";
import { sendLines } from "./stream.js";

/** Dependencies of createDocumentStreamRoutes. */
export interface DocumentStreamRoutes {
  documents: DocumentService;
  /** Time after which an import fails if the client sends nothing, in milliseconds. */
  idleMs: number;
  authorize: Authorize;
  access: Access;
  auditor: Auditor;
  registry: Registry;
  onInternalError: OnInternalError;
}

/** Path of the import of documents. */
export const importPath = "/v1/documents:import";
/** Path of the export of documents. */
export const exportPath = "/v1/documents:export";

/**
 * Serves import and export of documents as NDJSON, one document per line. An export contains the
 * stored text unchanged and can be imported.
 */
export function createDocumentStreamRoutes({
  documents,
  idleMs,
  authorize,
  access,
  auditor,
  registry,
  onInternalError,
}: DocumentStreamRoutes): HttpHandler {
  const toStatus = (thrown: unknown) => errorJson(hostErrorOf(thrown, onInternalError), registry);

  async function* importing(
    request: IncomingMessage,
    query: URLSearchParams,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const hold = holdOf(request);
    // Accounts for the documents in the current write batch.
    hold.add(limits.importBytes);
    const bodies = linesOf(bodyChunks(request, idleMs, signal), hold);
    for await (const { done, ...counts } of importDocuments(
      documents,
      factoryOf(query),
      skipOf(query),
      bodies,
      signal,
    )) {
      const exact = Object.fromEntries(
        Object.entries(counts).map(([name, count]) => [name, String(count)]),
      );
      yield `${JSON.stringify({ ...exact, done })}\n`;
    }
  }

  async function* exporting(query: URLSearchParams, signal: AbortSignal): AsyncGenerator<string> {
    const filter = query.get("filter");
    const exportRequest = {
      factoryPath: factoryOf(query),
      expand: true,
      ...(filter !== null && { filter }),
    };
    for await (const page of documents.export(exportRequest, signal))
      yield page.documents.map((document) => `${renderDocument(document)}\n`).join("");
  }

  return async (request, response, signal) => {
    const [path = "", text = ""] = (request.url ?? "").split(/\?(.*)/s);
    const isImport = path === importPath && request.method === "POST";
    if (!isImport && !(path === exportPath && request.method === "GET")) return false;
    try {
      const { importDocuments: importMethod, exportDocuments: exportMethod } =
        DocumentServiceDescriptor.method;
      const method = isImport ? importMethod : exportMethod;
      const caller = callerOf(request, "rest");
      authorize(method, caller);
      if (isImport) checkType(request);
      const query = new URLSearchParams(text);
      checkNames(
        query,
        isImport
          ? ["factory_link", "factoryLink", "skip"]
          : ["factory_link", "factoryLink", "filter"],
      );
      const factory = factoryOf(query);
      const index = documents.factoryOf(factory)?.indexLink;
      access.requireIndexes(caller, method.name, index === undefined ? [] : [index]);
      const lines = isImport
        ? auditor.stream(
            caller,
            { action: method.name, subject: factory },
            importing(request, query, signal()),
          )
        : exporting(query, signal());
      await sendLines(request, response, { lines, errorJson: toStatus });
    } catch (thrown) {
      sendError(request, response, hostErrorOf(thrown, onInternalError), registry);
    }
    return true;
  };
}

/** Requires a content type that pages of other sites cannot send without a preflight. */
function checkType({ headers }: IncomingMessage): void {
  if (
    /^application\/(x-)?(ndjson|jsonlines|json-seq|json)\s*(;|$)/i.test(
      headers["content-type"] ?? "",
    )
  )
    return;
  throw new HostError(
    "REQUEST_INVALID",
    `Unsupported Content-Type ${headers["content-type"] ?? "(none)"}: the body must be application/x-ndjson.`,
  );
}

function checkNames(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new HostError("REQUEST_INVALID", `Unknown query parameter ${unknown}.`, {
      metadata: { field: unknown },
    });
}

function factoryOf(query: URLSearchParams): string {
  const given = query.get("factory_link") ?? query.get("factoryLink") ?? "";
  if (given === "")
    throw new HostError(
      "REQUEST_INVALID",
      "Missing query parameter factory_link, for example factory_link=/core/examples.",
      {
        metadata: { field: "factory_link" },
      },
    );
  return given.startsWith("/") ? given : `/${given}`;
}

function skipOf(query: URLSearchParams): number {
  const text = query.get("skip") ?? "0";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HostError(
    "REQUEST_INVALID",
    `Invalid skip ${JSON.stringify(text.slice(0, 40))}: must be a non-negative integer.`,
    { metadata: { field: "skip" } },
  );
}

/** Yields the lines of an import as text. Buffered bytes are accounted for in the hold. BODY_TOO_LARGE, JSON_INVALID. */
async function* linesOf(chunks: AsyncIterable<Buffer>, hold: Hold): AsyncGenerator<string> {
  const options = {
    maxBytes: limits.documentBytes,
    tooLong: () =>
      new HostError("BODY_TOO_LARGE", `A line exceeds the limit of ${limits.documentBytes} bytes.`),
    onBuffered: (change: number) => (change < 0 ? hold.free(-change) : hold.add(change)),
  };
  for await (const line of splitLines(chunks, options)) {
    const text = (await decodeUtf8(line, "A line")).trim();
    if (text !== "") yield text;
  }
}
