import { accessSync, constants, createReadStream, statSync } from "node:fs";
import {
  ImportDocumentsResponseSchema,
  type ImportDocumentsResponse,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { HostError } from "../../errors.js";
import { errnoOf } from "../../io/file-system.js";
import { withHost, type Session } from "../connect/session.js";
import { optionOf, type HostFlags } from "../flags.js";
import { ndjsonLines } from "../ndjson-lines.js";
import { formatBytes, count, formatNumber } from "../output/format.js";
import { startProgress } from "../output/progress.js";
import type { CommandContext } from "../command-context.js";

export interface ImportFlags extends HostFlags {
  fromXenon?: string;
  to?: string;
  factory?: string[];
  allVersions?: boolean;
  index?: string;
  workDir?: string;
  pageSize?: string;
  replace?: boolean;
  skip?: string;
}

/** holdfast import: NDJSON into a factory, or the documents of a live Xenon host. */
export async function importDocuments(
  context: CommandContext,
  flags: ImportFlags,
  file?: string,
): Promise<void> {
  const factories = [...new Set((flags.factory ?? []).map((path) => path.replace(/\/+$/, "")))];
  for (const path of factories)
    if (!/^\/[^?#\s]+$/.test(path))
      throw invalid(`--factory ${path} is no path; write for example /core/examples.`);
  const [factory] = factories;
  if (factory === undefined)
    throw invalid(
      "--factory PATH is missing: it says where the documents belong, for example /core/examples.",
    );
  if (flags.fromXenon !== undefined) {
    if (file !== undefined || flags.skip !== undefined)
      throw invalid("--from-xenon copies from a host: leave out the file and --skip.");
    const { importFromXenon } = await import("./import-xenon.js");
    return importFromXenon(context, flags, flags.fromXenon, factories);
  }
  if (file === undefined)
    throw invalid(
      "Say what to import: a file of NDJSON, - for standard input, or --from-xenon URL.",
    );
  if (factories.length > 1) throw invalid("A file goes into one factory: give --factory once.");
  for (const name of ["to", "allVersions", "index", "workDir", "pageSize", "replace"] as const) {
    if (flags[name] !== undefined) throw invalid(`${optionOf(name)} goes with --from-xenon alone.`);
  }
  const skip = flags.skip ?? "0";
  if (!/^\d{1,15}$/.test(skip)) throw invalid("--skip takes a whole number of documents.");
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
    for await (const line of ndjsonLines(input as AsyncIterable<Buffer>)) {
      sent += line.length + 1;
      yield { message: { case: "document" as const, value: line } };
    }
  }
  try {
    for await (const answer of session.documents.importDocuments(requests(), {
      signal: context.abort.signal,
    })) {
      last = answer;
      progress.update({
        stage: "importing",
        done: sent,
        total,
        unit: "bytes",
        detail: `${count(answer.documents, "document")} durable, ${formatBytes(sent)} sent`,
      });
    }
    if (!last?.done)
      throw new HostError(
        "HOST_UNREACHABLE",
        "The connection ended before the host had said that all documents are durable.",
      );
  } catch (thrown) {
    // The connection fails with the input, and knows only that it does.
    const error = readError ?? (await session.explain(thrown));
    // The host counts what was written before the one that stopped it; before that, what it last told is durable.
    const durable = error.metadata["documents"] ?? String(last?.documents ?? skip);
    throw new HostError(
      error.reason,
      `${error.message} ${formatNumber(BigInt(durable))} documents from the beginning of ${file === "-" ? "the input" : file} are durable. To go on there: the same command with --skip ${durable}`,
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
  const after =
    skipped === 0n
      ? ""
      : `, after ${count(skipped, "document")} that ${skipped === 1n ? "was" : "were"} skipped`;
  await context.printResult(
    ImportDocumentsResponseSchema,
    last,
    () =>
      `Imported ${count(documents - skipped, "document")} into ${factory}: ${formatNumber(created)} created, ${formatNumber(replaced)} replaced, ${formatNumber(unchanged)} were there already${after}.`,
  );
}

function sizeOf(file: string): number {
  try {
    const status = statSync(file);
    if (!status.isFile() && !status.isFIFO() && !status.isCharacterDevice())
      throw new HostError(
        "REQUEST_INVALID",
        `Cannot import ${file}: it is not a file. Nothing was imported.`,
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
    `Cannot read ${file} (${errnoOf(cause) ?? "unknown error"}). Check the path and its permissions. Nothing more was imported.`,
    { cause },
  );
}
