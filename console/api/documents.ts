import type {
  CompareDocumentVersionsResponseJson,
  DocumentJson,
  ListDocumentsResponseJson,
  ListDocumentVersionsResponseJson,
} from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ApiError, get, post, put } from "./request.js";

/** Calls of /v1 on documents. An empty index is that of the document's factory. */

const pageSize = 50;

const pathOf = (link: string) =>
  `/v1/documents${link.split("/").map(encodeURIComponent).join("/")}`;

/** What is listed. */
export interface DocumentQuery {
  factoryLink: string;
  /** OData; empty: all documents. */
  filter: string;
  indexLink: string;
  /** Undefined: now. */
  timeMicros: number | undefined;
}

export const listDocuments = (
  { factoryLink, filter, indexLink, timeMicros }: DocumentQuery,
  pageToken: string,
  signal: AbortSignal,
) =>
  get<ListDocumentsResponseJson>(
    "/v1/documents",
    {
      factory_link: factoryLink,
      filter,
      index_link: indexLink,
      time_micros: timeMicros,
      page_token: pageToken,
      page_size: pageSize,
      body_format: "BODY_FORMAT_NONE",
    },
    signal,
  );

export const listVersions = (
  link: string,
  indexLink: string,
  pageToken: string,
  signal: AbortSignal,
) =>
  get<ListDocumentVersionsResponseJson>(
    `${pathOf(link)}:versions`,
    {
      index_link: indexLink,
      page_token: pageToken,
      page_size: pageSize,
      body_format: "BODY_FORMAT_NONE",
    },
    signal,
  );

export const getVersion = (
  link: string,
  indexLink: string,
  version: string | undefined,
  signal?: AbortSignal,
) =>
  get<DocumentJson>(
    `${pathOf(link)}:version`,
    { index_link: indexLink, version, body_format: "BODY_FORMAT_JSON" },
    signal,
  );

export const compareVersions = (
  link: string,
  indexLink: string,
  versions: { from: string; to: string },
  signal: AbortSignal,
) =>
  get<CompareDocumentVersionsResponseJson>(
    `${pathOf(link)}:compare`,
    {
      "from.version": versions.from,
      "from.index_link": indexLink,
      "to.version": versions.to,
      "to.index_link": indexLink,
    },
    signal,
  );

/** Compares a version of an index with the latest version of the live one. */
export const compareWithLive = (
  link: string,
  indexLink: string,
  version: string,
  signal: AbortSignal,
) =>
  get<CompareDocumentVersionsResponseJson>(
    `${pathOf(link)}:compare`,
    { "from.version": version, "from.index_link": indexLink },
    signal,
  );

/**
 * Writes the fields of a version as the next version of the live document, unless that is not any more what a person has
 * seen of it (default: what it is now).
 */
export async function restoreVersion(
  version: DocumentJson,
  seen: DocumentJson | undefined,
): Promise<DocumentJson> {
  const link = version.selfLink ?? "";
  const { json, expirationTimeMicros = "0" } = version;
  // With a time that is over, the document would be deleted again at once.
  const isOver = Number(expirationTimeMicros) < Date.now() * 1000;
  const body = {
    json,
    expirationTimeMicros: isOver ? "0" : expirationTimeMicros,
    bodyFormat: "BODY_FORMAT_NONE",
  };
  const live = seen ?? (await liveVersion(link));
  if (live !== undefined && live.action !== "DOCUMENT_ACTION_DELETE")
    return put<DocumentJson>(pathOf(link), { ...body, expectedVersion: live.version });
  const slash = link.lastIndexOf("/");
  return post<DocumentJson>("/v1/documents", {
    ...body,
    factoryLink: link.slice(0, slash),
    documentId: link.slice(slash + 1),
    revive: true,
  });
}

const liveVersion = (link: string) =>
  getVersion(link, "", undefined).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });

/** The JSON of a document as it is stored. */
export function textOf({ json = "" }: DocumentJson): string {
  const bytes = Uint8Array.from(atob(json), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
