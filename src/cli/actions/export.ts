import { create } from "@bufbuild/protobuf";
import { warningsOf } from "../output/result.js";
import { ExportBackupResponseSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { withFilesOrHost, withHost, type Session } from "../connect/session.js";
import type { HostFlags, SelectionFlags } from "../flags.js";
import { formatBytes, formatCount } from "../output/format.js";
import { writeOutput, type Sink } from "../output/output-file.js";
import { print } from "../output/print.js";
import { printableJson } from "../output/printable.js";
import { startProgress } from "../output/progress.js";
import { toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import { selectionOf } from "../selection.js";
import { nowMicros, parseTime } from "../time.js";

/** Flags of holdfast export. */
export interface ExportFlags extends HostFlags, SelectionFlags, DecryptionFlags {
  at?: string;
  backup?: string;
  index?: string;
  output?: string;
}

/**
 * Implements holdfast export: writes documents as NDJSON to standard output, or to a file, which is
 * replaced only once complete.
 */
export async function exportDocuments(
  context: CommandContext,
  flags: ExportFlags,
  source?: string,
): Promise<void> {
  const { output } = flags;
  if (context.json && output === undefined)
    throw new HostError(
      "REQUEST_INVALID",
      "--json requires -o FILE: without it, the documents themselves are written to standard output.",
    );
  const selection = selectionOf(flags);
  const request = {
    pointInTime: {
      uri: source === undefined ? "" : toUri(source),
      backupName: flags.backup ?? "",
      indexLink: flags.index ?? "",
      ...(flags.at !== undefined && { targetTimeMicros: parseTime(flags.at, nowMicros()) }),
      ...(await readDecryption(context, flags)),
    },
    ...(selection && { selection }),
  };
  const work = async (session: Session) => {
    const send = (sink: Sink, toTerminal = false) =>
      sendDocuments(context, session, request, sink, toTerminal);
    const { documents, size } =
      output === undefined
        ? await send({ write: print }, process.stdout.isTTY)
        : await writeOutput(output, context.abort.signal, send);
    const text = `Exported ${formatCount(documents, "document")}, ${formatBytes(size)}${output === undefined ? "" : `, to ${output}`}.`;
    if (output === undefined) context.printNote(text);
    else
      await context.printResult(
        ExportBackupResponseSchema,
        create(ExportBackupResponseSchema, { count: documents }),
        () => text,
      );
  };
  if (source !== undefined) return withFilesOrHost(context, flags, work);
  if (flags.offline)
    throw new HostError(
      "REQUEST_INVALID",
      "--offline requires SOURCE: without it, the live index of a host is exported. Name a backup.",
    );
  return withHost(context, flags, work);
}

type Request = Parameters<Session["management"]["exportBackup"]>[0];

const newline = Buffer.from("\n");

async function sendDocuments(
  context: CommandContext,
  { management }: Session,
  request: Request,
  sink: Sink,
  toTerminal: boolean,
): Promise<{ documents: bigint; size: number }> {
  const { signal } = context.abort;
  // A progress bar would overwrite documents on the same terminal.
  const progress = startProgress({ ...context, quiet: context.quiet || process.stdout.isTTY });
  let documents = 0;
  let size = 0;
  let reportedCount: bigint | undefined;
  let warnings: string[] = [];
  try {
    for await (const part of management.exportBackup(request, { signal })) {
      const lines = Buffer.concat(part.documents.flatMap((document) => [document, newline]));
      if (lines.length > 0)
        await sink.write(toTerminal ? Buffer.from(printableJson(lines.toString("utf8"))) : lines);
      signal.throwIfAborted();
      documents += part.documents.length;
      size += lines.length;
      reportedCount = part.count ?? reportedCount;
      warnings = part.warnings;
      progress.update({
        stage: "exporting",
        done: size,
        total: 0,
        unit: "bytes",
        detail: `${formatCount(documents, "document")}, ${formatBytes(size)}`,
      });
    }
  } finally {
    progress.stop();
  }
  if (reportedCount === undefined || reportedCount !== BigInt(documents)) {
    throw new HostError(
      "SOURCE_CHANGED",
      `The export is incomplete: the stream ended after ${formatCount(documents, "document")}${reportedCount === undefined ? "" : ` of ${reportedCount}`}. Run the command again.`,
    );
  }
  for (const warning of warningsOf(warnings)) context.printNote(warning);
  return { documents: reportedCount, size };
}
