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
import type { CommandContext } from "../command-context.js";
import { formatTime } from "../time.js";

export interface GetFlags extends HostFlags {
  version?: string;
}

export interface WriteFlags extends HostFlags {
  expectedVersion?: string;
}

export interface ListDocumentsFlags extends HostFlags {
  filter?: string;
  order?: string;
  limit?: string;
  bodies?: boolean;
}

/** Prints the body as it is stored. */
export async function getDocument(
  context: CommandContext,
  flags: GetFlags,
  link = "",
): Promise<void> {
  const version = wholeNumber("--version", flags.version);
  await withHost(context, flags, async ({ documents }) => {
    const options = { signal: context.abort.signal };
    const found =
      version === undefined
        ? await documents.getDocument({ selfLink: link, bodyFormat: BodyFormat.JSON }, options)
        : await documents.getDocumentVersion(
            { selfLink: link, version, bodyFormat: BodyFormat.JSON },
            options,
          );
    await context.printResult(DocumentSchema, found, () => bodyOf(found));
  });
}

/** Replaces a document, or makes it where it is not there and no version is expected. */
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
    let made = false;
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
        const cut = link.lastIndexOf("/");
        if (!missing || expectedVersion !== undefined || cut < 1) throw error;
        made = true;
        return documents.createDocument({
          factoryLink: link.slice(0, cut),
          documentId: link.slice(cut + 1),
          body,
          revive: true,
          bodyFormat: BodyFormat.NONE,
        });
      });
    await context.printResult(
      DocumentSchema,
      written,
      () => `${made ? "Created" : "Replaced"} ${line(written)}`,
    );
  });
}

/** Lays fields over a document. */
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
    await context.printResult(DocumentSchema, written, () => `Patched ${line(written)}`);
  });
}

export async function deleteDocument(
  context: CommandContext,
  flags: WriteFlags,
  link = "",
): Promise<void> {
  const expectedVersion = wholeNumber("--expected-version", flags.expectedVersion);
  await withHost(context, flags, async ({ documents }) => {
    const answer = await documents.deleteDocument({
      selfLink: link,
      bodyFormat: BodyFormat.NONE,
      ...(expectedVersion !== undefined && { expectedVersion }),
    });
    await context.printResult(DeleteDocumentResponseSchema, answer, () =>
      answer.document
        ? `Deleted ${line(answer.document)}`
        : `${link} was deleted before; nothing was changed.`,
    );
  });
}

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
    const all = await showPages(context, pages, flags.bodies ? bodyOf : line);
    if (context.json)
      await context.printResult(
        ListDocumentsResponseSchema,
        create(ListDocumentsResponseSchema, { documents: all }),
        () => "",
      );
  });
}

/** Newest first. */
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
        { selfLink: link, pageSize, pageToken, bodyFormat },
        { signal: context.abort.signal },
      );
      return { items: page.versions, next: page.nextPageToken };
    });
    const all = await showPages(context, pages, flags.bodies ? bodyOf : line);
    if (context.json)
      await context.printResult(
        ListDocumentVersionsResponseSchema,
        create(ListDocumentVersionsResponseSchema, { versions: all }),
        () => "",
      );
  });
}

const largestPage = 1000;

function limitOf({ limit }: ListDocumentsFlags): number {
  const given = wholeNumber("--limit", limit);
  if (given === 0n)
    throw new HostError(
      "REQUEST_INVALID",
      "--limit takes a whole number from 1; without it all are listed.",
    );
  return given === undefined ? Infinity : Number(given);
}

/** Pages until there are no more, or so many documents were there. */
async function* pagesOf(
  limit: number,
  fetch: (pageSize: number, pageToken: string) => Promise<{ items: Document[]; next: string }>,
): AsyncGenerator<Document[]> {
  let left = limit;
  let pageToken = "";
  do {
    const { items, next } = await fetch(Math.min(left, largestPage), pageToken);
    yield items;
    left -= items.length;
    pageToken = next;
  } while (pageToken !== "" && left > 0);
}

/** Prints each page as it comes; only with --json are all of them kept, for one document. */
async function showPages(
  context: CommandContext,
  pages: AsyncIterable<Document[]>,
  show: (one: Document) => string,
): Promise<Document[]> {
  const kept: Document[] = [];
  for await (const page of pages) {
    context.abort.signal.throwIfAborted();
    if (context.json) kept.push(...page);
    else if (page.length > 0 && !context.quiet)
      await print(page.map((one) => `${show(one)}\n`).join(""));
  }
  return kept;
}

const actions: Record<DocumentAction, string> = {
  [DocumentAction.UNSPECIFIED]: "",
  [DocumentAction.POST]: "POST",
  [DocumentAction.PATCH]: "PATCH",
  [DocumentAction.PUT]: "PUT",
  [DocumentAction.DELETE]: "DELETE",
};

const line = ({ selfLink, version, updateTimeMicros, action }: Document): string =>
  `${printable(selfLink)}  version ${version}  ${formatTime(updateTimeMicros)} (${updateTimeMicros})  ${actions[action]}`.trimEnd();

const bodyOf = ({ body }: Document): string =>
  body.case === "json" ? printableJson(Buffer.from(body.value).toString("utf8")) : "{}";

function wholeNumber(option: string, value: string | undefined): bigint | undefined {
  if (value !== undefined && !/^\d{1,15}$/.test(value))
    throw new HostError(
      "REQUEST_INVALID",
      `${option} takes a whole number, not ${JSON.stringify(value)}.`,
    );
  return value === undefined ? undefined : BigInt(value);
}

/** JSON as an argument, in a file, or on standard input. */
async function readBody(given: string | undefined): Promise<Uint8Array> {
  if (given?.trimStart().startsWith("{")) return Buffer.from(given);
  if (given === undefined || given === "-") {
    if (process.stdin.isTTY) process.stderr.write("The document's JSON, then Ctrl-D:\n");
    return Buffer.from(await text(process.stdin));
  }
  try {
    return readFileSync(given);
  } catch (cause) {
    throw new HostError(
      "REQUEST_INVALID",
      `${JSON.stringify(given)} is no JSON object and no file that can be read. Nothing was changed.`,
      { cause },
    );
  }
}
