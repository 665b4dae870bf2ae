import { accessSync, constants, createReadStream, statSync } from "node:fs";
import {
  ImportDocumentsResponseSchema,
  type ImportDocumentsResponse,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { HostError } from "../../errors.js";
import { errnoOf } from "../../io/file-system.js";
import { splitLines } from "../../io/lines.js";
import { limits } from "../../limits.js";
import { withHost, type Session } from "../connect/session.js";
import { optionOf, type ImportFlags } from "../flags.js";
import { formatBytes, formatCount, formatNumber } from "../output/format.js";
import { startProgress } from "../output/progress.js";
import type { CommandContext } from "../command-context.js";

/** Implements holdfast import: imports NDJSON, or the documents of a live Xenon host. */
export async function importDocuments(
  context: CommandContext,
  flags: ImportFlags,
  file?: string,
): Promise<void> {
  const factories = [...new Set((flags.factory ?? []).map((path) => path.replace(/\/+$/, "")))];
  for (const path of factories)
    if (!/^\/[^?#\s]+$/.test(path))
      throw invalid(`Invalid --factory ${path}: must be a path such as /core/examples.`);
  const [factory] = factories;
  if (factory === undefined)
    throw invalid(
      "--factory PATH is required. It is the factory of the documents, for example /core/examples.",
    );
  if (flags.fromXenon !== undefined) {
    if (file !== undefined || flags.skip !== undefined)
      throw invalid("--from-xenon copies from a host. Omit FILE and --skip.");
    const { importFromXenon } = await import("./import-xenon.js");
    return importFromXenon(context, flags, flags.fromXenon, factories);
  }
  if (file === undefined)
    throw invalid(
      "Name what to import: an NDJSON file, - for standard input, or --from-xenon URL.",
    );
  if (factories.length > 1)
    throw invalid("A file is imported to one factory. Use --factory only once.");
  for (const name of ["to", "allVersions", "index", "workDir", "pageSize", "replace"] as const) {
    if (flags[name] !== undefined) throw invalid(`${optionOf(name)} requires --from-xenon.`);
  }
  const skip = flags.skip ?? "0";
  if (!/^\d{1,15}$/.test(skip)) throw invalid("--skip must be a whole number of documents.");
  await withHost(context, flags, (session) =>
    importLines(context, session, file, factory, BigInt(skip)),
  );
}

const invalid = (problem: string) => new HostError("REQUEST_INVALID", problem);

async function importLines(
  context: CommandContext,
  session: Session,
  file: string,
  factory: string,
  skip: bigint,
): Promise<void> {
  const total = file === "-" ? 0 : sizeOf(file);
  const progress = startProgress(context);
  let sent = 0;
  let readError: HostError | undefined;
  let last: ImportDocumentsResponse | undefined;
  async function* requests() {
    yield { message: { case: "header" as const, value: { factoryLink: factory, skip } } };
    const input = file === "-" ? process.stdin : createReadStream(file, { highWaterMark: 1 << 18 });
    input.once("error", (error: Error) => (readError = unreadable(file, error)));
    for await (const line of splitLines(input as AsyncIterable<Buffer>, {
      maxBytes: limits.documentBytes,
      tooLong: tooLongLine,
    })) {
      sent += line.length + 1;
      yield { message: { case: "document" as const, value: line } };
    }
  }
  try {
    for await (const response of session.documents.importDocuments(requests(), {
      signal: context.abort.signal,
    })) {
      last = response;
      progress.update({
        stage: "importing",
        done: sent,
        total,
        unit: "bytes",
        detail: `${formatCount(response.documents, "document")} durable, ${formatBytes(sent)} sent`,
      });
    }
    if (!last?.done)
      throw new HostError(
        "HOST_UNREACHABLE",
        "The connection ended before the host confirmed that all documents are durable.",
      );
  } catch (thrown) {
    // A read error also fails the call, but with a less specific error.
    const error = readError ?? (await session.explain(thrown));
    // The error has the exact count if a document was rejected; otherwise the last response has a
    // lower bound.
    const durable = error.metadata["documents"] ?? String(last?.documents ?? skip);
    throw new HostError(
      error.reason,
      `${error.message} The first ${formatNumber(BigInt(durable))} documents of ${file === "-" ? "the input" : file} are durable. To resume, run the same command with --skip ${durable}`,
      {
        cause: error,
        metadata: { ...error.metadata, documents: durable },
      },
    );
  } finally {
    progress.stop();
  }
  const { documents, created, replaced, unchanged } = last;
  const skipped = documents < skip ? documents : skip;
  const skippedText = skipped === 0n ? "" : `, ${formatNumber(skipped)} skipped`;
  await context.printResult(
    ImportDocumentsResponseSchema,
    last,
    () =>
      `Imported ${formatCount(documents - skipped, "document")} into ${factory}: ${formatNumber(created)} created, ${formatNumber(replaced)} replaced, ${formatNumber(unchanged)} unchanged${skippedText}.`,
  );
}

function sizeOf(file: string): number {
  try {
    const status = statSync(file);
    if (!status.isFile() && !status.isFIFO() && !status.isCharacterDevice())
      throw new HostError(
        "REQUEST_INVALID",
        `Cannot import ${file}: not a file. Nothing was imported.`,
      );
    accessSync(file, constants.R_OK);
    return status.size;
  } catch (thrown) {
    throw thrown instanceof HostError ? thrown : unreadable(file, thrown);
  }
}

function unreadable(file: string, cause: unknown): HostError {
  return new HostError(
    "REQUEST_INVALID",
    `Cannot read ${file} (${errnoOf(cause) ?? "unknown error"}). Check the path and its permissions.`,
    { cause },
  );
}

const tooLongLine = (line: number) =>
  new HostError(
    "REQUEST_INVALID",
    `Line ${line} exceeds the document limit of 16 MiB. Check that the input is NDJSON, with one document per line.`,
  );
