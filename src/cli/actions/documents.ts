import { create } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import {
  BodyFormat,
  DeleteDocumentResponseSchema,
  DocumentAction,
  DocumentSchema,
  ListDocumentsResponseSchema,
  ListDocumentVersionsResponseSchema,
  type Document,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { HostError } from "../../errors.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { print } from "../output/print.js";
import { printable, printableJson } from "../output/printable.js";
import { nowMicros, parseTime } from "../time.js";
import type { CommandContext } from "../command-context.js";

/** Flags of holdfast documents get. */
export interface GetFlags extends HostFlags {
  version?: string;
  at?: string;
  index?: string;
}

/** Flags of holdfast documents put, patch and delete. */
export interface WriteFlags extends HostFlags {
  expectedVersion?: string;
}

/** Flags of holdfast documents list and history. */
export interface ListDocumentsFlags extends HostFlags {
  at?: string;
  index?: string;
  filter?: string;
  order?: string;
  limit?: string;
  bodies?: boolean;
}

/** Implements holdfast documents get: prints the stored JSON. */
export async function getDocument(
  context: CommandContext,
  flags: GetFlags,
  link = "",
): Promise<void> {
  const version = wholeNumber("--version", flags.version);
  const { at, index } = flags;
  const chosen = {
    ...(version !== undefined && { version }),
    ...(at !== undefined && { timeMicros: parseTime(at, nowMicros()) }),
    ...(index !== undefined && { indexLink: index }),
  };
  const request = { selfLink: link, bodyFormat: BodyFormat.JSON };
  await withHost(context, flags, async ({ documents }) => {
    const options = { signal: context.abort.signal };
    const found =
      Object.keys(chosen).length === 0
        ? await documents.getDocument(request, options)
        : await documents.getDocumentVersion({ ...request, ...chosen }, options);
    await context.printResult(DocumentSchema, found, () => bodyOf(found));
  });
}

/**
 * Implements holdfast documents put: replaces a document, or creates it if it does not exist and no
 * version is expected.
 */
export async function putDocument(
  context: CommandContext,
  flags: WriteFlags,
  link = "",
  given?: string,
): Promise<void> {
  const expectedVersion = wholeNumber("--expected-version", flags.expectedVersion);
  const body = { case: "json" as const, value: await readBody(given) };
  await withHost(context, flags, async (session) => {
    const { documents } = session;
    let isCreated = false;
    const written = await documents
      .replaceDocument({
        selfLink: link,
        body,
        bodyFormat: BodyFormat.NONE,
        ...(expectedVersion !== undefined && { expectedVersion }),
      })
      .catch(async (thrown: unknown) => {
        const error = await session.explain(thrown);
        const missing =
          error.reason === "DOCUMENT_NOT_FOUND" || error.reason === "DOCUMENT_DELETED";
        const slash = link.lastIndexOf("/");
        if (!missing || expectedVersion !== undefined || slash < 1) throw error;
        isCreated = true;
        return documents.createDocument({
          factoryLink: link.slice(0, slash),
          documentId: link.slice(slash + 1),
          body,
          revive: true,
          bodyFormat: BodyFormat.NONE,
        });
      });
    await context.printResult(
      DocumentSchema,
      written,
      () => `${isCreated ? "Created" : "Replaced"} ${lineFormatter(context)(written)}`,
    );
  });
}

/** Implements holdfast documents patch: updates fields of a document. */
export async function patchDocument(
  context: CommandContext,
  flags: WriteFlags,
  link = "",
  given?: string,
): Promise<void> {
  const expectedVersion = wholeNumber("--expected-version", flags.expectedVersion);
  const body = { case: "json" as const, value: await readBody(given) };
  await withHost(context, flags, async ({ documents }) => {
    const written = await documents.patchDocument({
      selfLink: link,
      body,
      bodyFormat: BodyFormat.NONE,
      ...(expectedVersion !== undefined && { expectedVersion }),
    });
    await context.printResult(
      DocumentSchema,
      written,
      () => `Patched ${lineFormatter(context)(written)}`,
    );
  });
}

/** Implements holdfast documents delete. */
export async function deleteDocument(
  context: CommandContext,
  flags: WriteFlags,
  link = "",
): Promise<void> {
  const expectedVersion = wholeNumber("--expected-version", flags.expectedVersion);
  await withHost(context, flags, async ({ documents }) => {
    const response = await documents.deleteDocument({
      selfLink: link,
      bodyFormat: BodyFormat.NONE,
      ...(expectedVersion !== undefined && { expectedVersion }),
    });
    await context.printResult(DeleteDocumentResponseSchema, response, () =>
      response.document
        ? `Deleted ${lineFormatter(context)(response.document)}`
        : `${link} is already deleted. Nothing was changed.`,
    );
  });
}

/** Implements holdfast documents list. */
export async function listDocuments(
  context: CommandContext,
  flags: ListDocumentsFlags,
  factory = "",
): Promise<void> {
  const limit = limitOf(flags);
  const request = {
    factoryLink: factory,
    filter: flags.filter ?? "",
    orderBy: flags.order ?? "",
    indexLink: flags.index ?? "",
    ...(flags.at !== undefined && { timeMicros: parseTime(flags.at, nowMicros()) }),
    bodyFormat: flags.bodies || context.json ? BodyFormat.JSON : BodyFormat.NONE,
  };
  await withHost(context, flags, async ({ documents }) => {
    const pages = pagesOf(limit, async (pageSize, pageToken) => {
      const page = await documents.listDocuments(
        { ...request, pageSize, pageToken },
        { signal: context.abort.signal },
      );
      return { items: page.documents, next: page.nextPageToken };
    });
    const all = await printPages(context, pages, flags.bodies ? bodyOf : lineFormatter(context));
    if (context.json)
      await context.printResult(
        ListDocumentsResponseSchema,
        create(ListDocumentsResponseSchema, { documents: all }),
        () => "",
      );
  });
}

/** Implements holdfast documents history: lists the versions of a document, newest first. */
export async function documentHistory(
  context: CommandContext,
  flags: ListDocumentsFlags,
  link = "",
): Promise<void> {
  const limit = limitOf(flags);
  const bodyFormat = flags.bodies || context.json ? BodyFormat.JSON : BodyFormat.NONE;
  await withHost(context, flags, async ({ documents }) => {
    const pages = pagesOf(limit, async (pageSize, pageToken) => {
      const page = await documents.listDocumentVersions(
        { selfLink: link, pageSize, pageToken, bodyFormat, indexLink: flags.index ?? "" },
        { signal: context.abort.signal },
      );
      return { items: page.versions, next: page.nextPageToken };
    });
    const all = await printPages(context, pages, flags.bodies ? bodyOf : lineFormatter(context));
    if (context.json)
      await context.printResult(
        ListDocumentVersionsResponseSchema,
        create(ListDocumentVersionsResponseSchema, { versions: all }),
        () => "",
      );
  });
}

const maxPageSize = 1000;

function limitOf({ limit }: ListDocumentsFlags): number {
  const count = wholeNumber("--limit", limit);
  if (count === 0n)
    throw new HostError(
      "REQUEST_INVALID",
      "--limit must be a whole number of at least 1. Omit it to list all.",
    );
  return count === undefined ? Infinity : Number(count);
}

/** Fetches pages until the last one, or until `limit` documents were fetched. */
async function* pagesOf(
  limit: number,
  fetch: (pageSize: number, pageToken: string) => Promise<{ items: Document[]; next: string }>,
): AsyncGenerator<Document[]> {
  let remaining = limit;
  let pageToken = "";
  do {
    const { items, next } = await fetch(Math.min(remaining, maxPageSize), pageToken);
    yield items;
    remaining -= items.length;
    pageToken = next;
  } while (pageToken !== "" && remaining > 0);
}

/**
 * Prints each page as it arrives. With --json it returns all documents instead, to print them as
 * one JSON document.
 */
async function printPages(
  context: CommandContext,
  pages: AsyncIterable<Document[]>,
  format: (document: Document) => string,
): Promise<Document[]> {
  const collected: Document[] = [];
  for await (const page of pages) {
    context.abort.signal.throwIfAborted();
    if (context.json) collected.push(...page);
    else if (page.length > 0 && !context.quiet)
      await print(page.map((document) => `${format(document)}\n`).join(""));
  }
  return collected;
}

const actions: Record<DocumentAction, string> = {
  [DocumentAction.UNSPECIFIED]: "",
  [DocumentAction.POST]: "POST",
  [DocumentAction.PATCH]: "PATCH",
  [DocumentAction.PUT]: "PUT",
  [DocumentAction.DELETE]: "DELETE",
};

const lineFormatter =
  ({ formatTime }: CommandContext) =>
  ({ selfLink, version, updateTimeMicros, action }: Document): string =>
    `${printable(selfLink)}  version ${version}  ${formatTime(updateTimeMicros)}  ${actions[action]}`.trimEnd();

const bodyOf = ({ body }: Document): string =>
  body.case === "json" ? printableJson(Buffer.from(body.value).toString("utf8")) : "{}";

function wholeNumber(option: string, value: string | undefined): bigint | undefined {
  if (value !== undefined && !/^\d{1,15}$/.test(value))
    throw new HostError(
      "REQUEST_INVALID",
      `${option} must be a whole number, not ${JSON.stringify(value)}.`,
    );
  return value === undefined ? undefined : BigInt(value);
}

/** Reads JSON given as an argument, in a file, or on standard input. */
async function readBody(given: string | undefined): Promise<Uint8Array> {
  if (given?.trimStart().startsWith("{")) return Buffer.from(given);
  if (given === undefined || given === "-") {
    if (process.stdin.isTTY)
      process.stderr.write("Enter the JSON of the document, then press Ctrl-D:\n");
    return Buffer.from(await text(process.stdin));
  }
  try {
    return readFileSync(given);
  } catch (cause) {
    throw new HostError(
      "REQUEST_INVALID",
      `${JSON.stringify(given)} is neither a JSON object nor a readable file. Nothing was changed.`,
      { cause },
    );
  }
}
