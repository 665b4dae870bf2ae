import type { ServerResponse } from "node:http";
import type { DocumentVersion } from "../../document/document.js";
import { renderDocument } from "../../document/render.js";
import { limits } from "../../limits.js";
import type {
  DocumentService,
  FactoryDescription,
  ListRequest,
} from "../../service/documents/document-service.js";
import { jsonHeaders, sendJson, writeChunk } from "../../transport/http/respond.js";
import { encodeNextPage, readListingQuery, type ListingQuery } from "./listing-query.js";

/** A GET request on a factory. */
export interface Listing {
  documents: DocumentService;
  factory: FactoryDescription;
  hostId: string;
  parameters: Map<string, string>;
  response: ServerResponse;
  signal: AbortSignal;
}

/**
 * Sends the response to GET on a factory. With $limit, it contains one page and a link to the next
 * one. Otherwise it contains all documents and is streamed page by page, so that memory use does
 * not depend on the size of the listing.
 */
export async function sendListing(listing: Listing): Promise<void> {
  const { documents, factory, hostId, parameters, response, signal } = listing;
  const begun = process.hrtime.bigint();
  const end = () => tail(hostId, begun);
  const query = readListingQuery(parameters);
  if (query.countOnly) {
    const count = await documents.count(factory.path, query.filter, signal, query.atMicros);
    sendJson(
      response,
      200,
      `{"totalCount":${count},"documentLinks":[],"documentCount":${count},${end()}`,
    );
    return;
  }
  const request = listRequest(factory, query);
  const page = await documents.list(request, signal);
  const found = page.documents;
  const remaining = query.top === undefined ? undefined : query.top - found.length;
  const complete = page.nextPageToken === undefined || (remaining !== undefined && remaining <= 0);
  if (!complete && query.limit === undefined) {
    await streamAll(listing, query, found, page.nextPageToken, end);
    return;
  }
  const next =
    complete || page.nextPageToken === undefined
      ? ""
      : `"nextPageLink":${JSON.stringify(`${factory.path}?path=${encodeNextPage(page.nextPageToken, query, remaining)}&peer=${hostId}`)},`;
  sendJson(
    response,
    200,
    `{${query.total ? `"totalCount":${found.length},` : ""}"documentLinks":[${links(found)}]` +
      `${query.expand ? `,"documents":{${entries(found)}}` : ""},"documentCount":${found.length},${next}${end()}`,
  );
}

function listRequest(factory: FactoryDescription, query: ListingQuery): ListRequest {
  const { filter, orderBy, limit, top, pageToken, expand, atMicros } = query;
  const size = top === undefined ? limit : Math.min(top, limit ?? top);
  return {
    factoryPath: factory.path,
    expand,
    ...(filter !== undefined && { filter }),
    ...(orderBy !== undefined && { orderBy }),
    ...(size !== undefined && { limit: size }),
    ...(pageToken !== undefined && { pageToken }),
    ...(atMicros !== undefined && { atMicros }),
  };
}

/**
 * Streams a listing of several pages. documentLinks precedes documents, so an expanded listing is
 * read twice, at the same position of the log. An error after the headers closes the connection,
 * which the server does for any handler.
 */
async function streamAll(
  { documents, factory, response, signal }: Listing,
  query: ListingQuery,
  first: DocumentVersion[],
  firstToken: string | undefined,
  end: () => string,
): Promise<void> {
  const pieces = query.orderBy === undefined && { pageBytes: limits.streamedPageBytes };
  const base = { ...listRequest(factory, { ...query, top: undefined }), ...pieces };
  const pinned = query.expand
    ? { ...base, atMicros: base.atMicros ?? (await documents.position(factory.path)) }
    : base;
  // Read before the links, so that its page token detects a switch of the index.
  const expanded = query.expand ? await documents.list(pinned, signal) : undefined;
  response.writeHead(200, jsonHeaders(response, undefined));
  const plain = { ...pinned, expand: false };
  const linkPages = query.expand
    ? pages(documents, plain, await documents.list(plain, signal), signal)
    : pages(
        documents,
        plain,
        { documents: first, ...(firstToken !== undefined && { nextPageToken: firstToken }) },
        signal,
      );
  const count = await streamPages(response, '{"documentLinks":[', linkPages, query.top, links);
  if (count === undefined) return;
  if (expanded !== undefined) {
    const sent = await streamPages(
      response,
      '],"documents":{',
      pages(documents, pinned, expanded, signal),
      query.top,
      entries,
    );
    if (sent === undefined) return;
  }
  const total = query.total ? `"totalCount":${count},` : "";
  response.end(`${query.expand ? "}" : "]"},"documentCount":${count},${total}${end()}`);
}

async function* pages(
  documents: DocumentService,
  request: ListRequest,
  first: { documents: DocumentVersion[]; nextPageToken?: string },
  signal: AbortSignal,
): AsyncGenerator<DocumentVersion[]> {
  let page = first;
  for (;;) {
    yield page.documents;
    if (page.nextPageToken === undefined) return;
    page = await documents.list({ ...request, pageToken: page.nextPageToken }, signal);
  }
}

/**
 * Writes pages up to `top` documents. Returns the number of documents, or undefined if the client
 * disconnected.
 */
async function streamPages(
  response: ServerResponse,
  head: string,
  source: AsyncGenerator<DocumentVersion[]>,
  top: number | undefined,
  render: (page: DocumentVersion[]) => string,
): Promise<number | undefined> {
  let count = 0;
  let prefix = head;
  for await (const page of source) {
    const documents = top === undefined ? page : page.slice(0, top - count);
    count += documents.length;
    const connected = await writeChunk(
      response,
      prefix + (documents.length > 0 && count > documents.length ? "," : "") + render(documents),
    );
    if (!connected) return undefined;
    prefix = "";
    if (top !== undefined && count >= top) break;
  }
  return count;
}

function links(page: DocumentVersion[]): string {
  return page.map((document) => JSON.stringify(document.link)).join(",");
}

function entries(page: DocumentVersion[]): string {
  return page
    .map((document) => `${JSON.stringify(document.link)}:${renderDocument(document)}`)
    .join(",");
}

/** Renders the end of the response to GET on a factory. */
export function tail(hostId: string, begun: bigint): string {
  const micros = (process.hrtime.bigint() - begun) / 1000n;
  return (
    `"queryTimeMicros":${micros > 0n ? micros : 1n},"documentVersion":0,"documentUpdateTimeMicros":0` +
    `,"documentExpirationTimeMicros":0,"documentOwner":${JSON.stringify(hostId)}}`
  );
}
