import type { ServerResponse } from "node:http";
import type { DocumentVersion } from "../../document/document.js";
import { renderDocument } from "../../document/render.js";
import { limits } from "../../limits.js";
import type { QuerySpecification } from "../query/specification.js";
import type { PinnedQuery, QueryPage } from "../query/query.js";
import { jsonHeaders, sendJson, writeChunk } from "../../transport/http/respond.js";
import type { TaskText } from "./query-task-text.js";

/** Results of a query task to send. */
export interface QueryResults {
  query: PinnedQuery;
  specification: QuerySpecification;
  /** Start of the results. Default: the first one. */
  cursor?: string;
  /** Maximum number of documents. Default: no limit. */
  limit?: number;
  /** Returns the link of the next page. If omitted, the results have no such link. */
  nextPageLink?: (cursor: string) => string;
  /** Renders the task around the results. */
  text: () => TaskText;
  hostId: string;
  response: ServerResponse;
  signal: AbortSignal;
}

/**
 * Sends a query task with its results, streamed page by page, so that memory use does not depend on
 * their number. Links precede documents, so results of several pages are read twice, at the
 * position of the query. An error in the middle closes the connection.
 */
export async function sendResults(results: QueryResults): Promise<void> {
  const { query, specification, limit = Infinity, response, signal, text } = results;
  const begun = process.hrtime.bigint();
  const expand = specification.options.has("EXPAND_CONTENT");
  const versioned = specification.options.has("INCLUDE_ALL_VERSIONS");
  const rows = specification.sort.length > 0 ? limits.pageRowsMax : limits.pageRows;
  const readPage = (cursor: string | undefined, taken: number, expanded: boolean) =>
    query.page(
      {
        limit: Math.min(rows, limit - taken),
        expand: expanded,
        ...(cursor !== undefined && { cursor }),
      },
      signal,
    );

  async function* pages(first: QueryPage, expanded: boolean): AsyncGenerator<QueryPage> {
    let page = first;
    for (let taken = page.documents.length; ; taken += page.documents.length) {
      yield page;
      if (page.cursor === undefined || taken >= limit) return;
      page = await readPage(page.cursor, taken, expanded);
    }
  }

  /** Writes the links or documents of all pages. Returns undefined if the client disconnected. */
  async function pass(
    lead: string,
    first: QueryPage,
    expanded: boolean,
  ): Promise<{ count: number; cursor: string | undefined } | undefined> {
    let count = 0;
    let cursor: string | undefined;
    let before = lead;
    for await (const page of pages(first, expanded)) {
      if (count > 0 && page.documents.length > 0) before = ",";
      const chunk = expanded
        ? entries(page.documents, versioned)
        : links(page.documents, versioned);
      if (!(await writeChunk(response, before + chunk))) return undefined;
      before = "";
      count += page.documents.length;
      cursor = page.cursor;
    }
    return { count, cursor };
  }

  async function nextLink(count: number, cursor: string | undefined): Promise<string> {
    if (results.nextPageLink === undefined || cursor === undefined || count < limit) return "";
    // A cursor does not guarantee that more results exist, but a link does.
    const { documents } = await query.page({ cursor, limit: 1, expand: false }, signal);
    return documents.length === 0
      ? ""
      : `"nextPageLink":${JSON.stringify(results.nextPageLink(cursor))},`;
  }

  const end = (count: number, next: string) =>
    resultsEnd({ count, next, begun, hostId: results.hostId });
  const first = await readPage(results.cursor, 0, expand);
  const size = first.documents.length;
  if (first.cursor === undefined || size >= limit) {
    const next = await nextLink(size, first.cursor);
    const { head, tail } = text();
    const documents = expand ? `,"documents":{${entries(first.documents, versioned)}}` : "";
    sendJson(
      response,
      200,
      `${head},"results":{"documentLinks":[${links(first.documents, versioned)}]${documents}${end(size, next)}${tail}`,
    );
    return;
  }
  const firstLinks = expand ? await readPage(results.cursor, 0, false) : first;
  const { head, tail } = text();
  response.writeHead(200, jsonHeaders(response, undefined));
  const sent = await pass(`${head},"results":{"documentLinks":[`, firstLinks, false);
  if (sent === undefined) return;
  if (expand && (await pass('],"documents":{', first, true)) === undefined) return;
  response.end(
    `${expand ? "}" : "]"}${end(sent.count, await nextLink(sent.count, sent.cursor))}${tail}`,
  );
}

/** Renders results without documents: a count, or a link to the first page. */
export function emptyResults(
  count: number,
  nextPageLink: string | undefined,
  expand: boolean,
  hostId: string,
): string {
  const next = nextPageLink === undefined ? "" : `"nextPageLink":${JSON.stringify(nextPageLink)},`;
  return `,"results":{"documentLinks":[]${expand ? ',"documents":{}' : ""}${resultsEnd({ count, next, begun: process.hrtime.bigint(), hostId })}`;
}

function resultsEnd({
  count,
  next,
  begun,
  hostId,
}: {
  count: number;
  next: string;
  begun: bigint;
  hostId: string;
}): string {
  const micros = (process.hrtime.bigint() - begun) / 1000n;
  return (
    `,"documentCount":${count},${next}"queryTimeMicros":${micros > 0n ? micros : 1n},"documentVersion":0` +
    `,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,"documentOwner":${JSON.stringify(hostId)}}`
  );
}

/**
 * Returns the link of a result; with all versions, it includes the version and can be used in a
 * GET.
 */
function nameOf(document: DocumentVersion, versioned: boolean): string {
  return JSON.stringify(
    versioned ? `${document.link}?documentVersion=${document.version}` : document.link,
  );
}

function links(documents: DocumentVersion[], versioned: boolean): string {
  return documents.map((document) => nameOf(document, versioned)).join(",");
}

function entries(documents: DocumentVersion[], versioned: boolean): string {
  return documents
    .map((document) => `${nameOf(document, versioned)}:${renderDocument(document)}`)
    .join(",");
}
