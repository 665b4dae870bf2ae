import { createHash } from "node:crypto";
import type { ServiceImpl } from "@connectrpc/connect";
import { limits } from "../../limits.js";
import {
  BodyFormat,
  type DocumentVersionSelector,
  type DocumentService as DocumentServiceDescriptor,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type {
  DocumentService,
  VersionSelector,
  WriteOptions,
} from "../../service/documents/document-service.js";
import { bodyText, toLink } from "./document-body.js";
import { readDocument, toFieldDifference, writtenDocument } from "../convert/document.js";
import { exportStream, importStream } from "./document-streams.js";
import { optionalFromInt64 } from "../convert/numbers.js";
import { badPageToken, readPageToken, writePageToken } from "../convert/page-token.js";

const versionsPage = 100;
const versionsListing = (link: string, indexLink: string) =>
  `versions ${createHash("sha256").update(`${link}\n${indexLink}`).digest("base64url").slice(0, 16)}`;

/** Implements holdfast.document.v1.DocumentService. */
export function documentServiceImpl(
  documents: DocumentService,
  idleMs: number,
): ServiceImpl<typeof DocumentServiceDescriptor> {
  return {
    async createDocument(request) {
      const given = {
        ...(request.documentId !== "" && { documentSelfLink: request.documentId }),
        ...expiration(request.expirationTimeMicros),
      };
      const version = await documents.create(
        toLink(request.factoryLink),
        await bodyText(request.body),
        { given, ...(request.revive && { revive: true }) },
      );
      return writtenDocument(version, request.bodyFormat, request.body.case);
    },
    async getDocument(request) {
      return readDocument(await documents.get(toLink(request.selfLink)), request.bodyFormat);
    },
    async patchDocument(request) {
      const options = {
        ...condition(request.expectedVersion),
        given: expiration(request.expirationTimeMicros),
      };
      const version = await documents.patch(
        toLink(request.selfLink),
        await bodyText(request.body),
        options,
      );
      return writtenDocument(version, request.bodyFormat, request.body.case);
    },
    async replaceDocument(request) {
      const options = {
        ...condition(request.expectedVersion),
        given: expiration(request.expirationTimeMicros),
      };
      const version = await documents.replace(
        toLink(request.selfLink),
        await bodyText(request.body),
        options,
      );
      return writtenDocument(version, request.bodyFormat, request.body.case);
    },
    async deleteDocument(request) {
      const version = await documents.delete(
        toLink(request.selfLink),
        condition(request.expectedVersion),
      );
      return version ? { document: writtenDocument(version, request.bodyFormat, undefined) } : {};
    },
    async listDocuments(request, { signal }) {
      const { documents: found, nextPageToken } = await documents.list(
        {
          factoryPath: toLink(request.factoryLink),
          limit: request.pageSize === 0 ? limits.pageRows : request.pageSize,
          expand: request.bodyFormat !== BodyFormat.NONE,
          ...(request.bodyFormat === BodyFormat.FIELDS && { pageBytes: limits.structBytes }),
          ...(request.filter !== "" && { filter: request.filter }),
          ...(request.orderBy !== "" && { orderBy: request.orderBy }),
          ...(request.pageToken !== "" && { pageToken: request.pageToken }),
          ...(request.indexLink !== "" && { indexLink: toLink(request.indexLink) }),
          ...at(request.timeMicros),
          isAtFixed: true,
        },
        signal,
      );
      return {
        documents: found.map((version) => readDocument(version, request.bodyFormat)),
        nextPageToken: nextPageToken ?? "",
      };
    },
    importDocuments: (requests, { signal }) => importStream(documents, requests, idleMs, signal),
    exportDocuments: (request, { signal }) => exportStream(documents, request, signal),
    async getDocumentVersion(request) {
      const link = toLink(request.selfLink);
      const { indexLink, version, atMicros } = selectorOf(documents, link, request);
      const found =
        atMicros === undefined
          ? await documents.getVersion(indexLink, link, version)
          : await documents.getAt(indexLink, link, atMicros);
      return readDocument(found, request.bodyFormat);
    },
    async compareDocumentVersions(request) {
      const link = toLink(request.selfLink);
      const { from, to, differences, truncated } = await documents.compareVersions(
        link,
        request.from && selectorOf(documents, link, request.from),
        selectorOf(documents, link, request.to ?? { indexLink: "" }),
      );
      return {
        ...(from && { from: readDocument(from, BodyFormat.NONE) }),
        to: readDocument(to, BodyFormat.NONE),
        differences: differences.map(toFieldDifference),
        truncated,
      };
    },
    async listDocumentVersions(request) {
      // A token is of one document in one index.
      const listing = versionsListing(toLink(request.selfLink), request.indexLink);
      const after = readPageToken(listing, request.pageToken);
      if (after !== undefined && !/^\d{1,15}$/.test(after)) throw badPageToken();
      const limit = request.pageSize === 0 ? versionsPage : request.pageSize;
      const found = await documents.listVersions(
        toLink(request.selfLink),
        limit,
        after === undefined ? undefined : Number(after),
        request.indexLink === "" ? undefined : toLink(request.indexLink),
      );
      const page = withinBytes(
        found,
        request.bodyFormat === BodyFormat.FIELDS ? limits.structBytes : limits.pageBytes,
      );
      const last = page.at(-1);
      // Version 0 is always the last one, even on a full page.
      const bytes = found.reduce((sum, { body }) => sum + body.length, 0);
      const cut = page.length < found.length || found.length === limit || bytes >= limits.pageBytes;
      const more = last !== undefined && last.version > 0 && cut;
      return {
        versions: page.map((version) => readDocument(version, request.bodyFormat)),
        nextPageToken: more ? writePageToken(listing, String(last.version)) : "",
      };
    },
  };
}

function condition(expectedVersion: bigint | undefined): WriteOptions {
  const version = optionalFromInt64(expectedVersion);
  return version === undefined ? {} : { expectedVersion: version };
}

function expiration(micros: bigint | undefined): { documentExpirationTimeMicros?: number } {
  const expires = optionalFromInt64(micros);
  return expires === undefined ? {} : { documentExpirationTimeMicros: expires };
}

const at = (micros: bigint | undefined) =>
  micros === undefined ? {} : { atMicros: Number(micros) };

/** Converts the selection of a version. */
function selectorOf(
  documents: Pick<DocumentService, "factoryOfDocument">,
  link: string,
  { indexLink, version, timeMicros }: Omit<DocumentVersionSelector, "$typeName">,
): VersionSelector {
  return {
    indexLink: indexOfVersion(documents, link, indexLink),
    ...(version !== undefined && { version: Number(version) }),
    ...at(timeMicros),
  };
}

/**
 * Returns the index to read a version from: the given one, else that of the document's factory,
 * else the durable index.
 */
export function indexOfVersion(
  documents: Pick<DocumentService, "factoryOfDocument">,
  link: string,
  given: string,
): string {
  return given === ""
    ? (documents.factoryOfDocument(link)?.indexLink ?? durableIndexLink)
    : toLink(given);
}

/** Returns as many versions as fit into a page, at least one. */
function withinBytes<T extends { body: string }>(versions: T[], pageBytes: number): T[] {
  let bytes = 0;
  const end = versions.findIndex(
    ({ body }, i) => (bytes += Buffer.byteLength(body)) > pageBytes && i > 0,
  );
  return end === -1 ? versions : versions.slice(0, end);
}
