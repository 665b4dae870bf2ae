import { toJson } from "@bufbuild/protobuf";
import {
  DiffSummarySchema,
  DocumentDifferenceSchema,
  type DiffProgress,
  type DiffSummary,
  type DocumentDifference,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { withFilesOrHost, withHost, type Session } from "../connect/session.js";
import type { HostFlags, SelectionFlags } from "../flags.js";
import { differenceLine } from "../output/difference.js";
import { formatCount, formatNumber } from "../output/format.js";
import { jsonSchema } from "../output/json.js";
import { print } from "../output/print.js";
import { warningsOf } from "../output/result.js";
import { startProgress, type ProgressState } from "../output/progress.js";
import { toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import { selectionOf } from "../selection.js";
import { nowMicros, parseTime } from "../time.js";

/** Flags of holdfast diff. */
export interface DiffFlags extends HostFlags, SelectionFlags, DecryptionFlags {
  live?: boolean;
  at?: string;
  toAt?: string;
  backup?: string;
  toBackup?: string;
  index?: string;
  format?: string;
}

const documentsDiffer = 1;

/** Implements holdfast diff. Returns the exit code: 1 if documents differ, like diff(1). */
export async function diff(
  context: CommandContext,
  flags: DiffFlags,
  from = "",
  to?: string,
): Promise<number> {
  if ((to === undefined) === !flags.live)
    throw new HostError(
      "REQUEST_INVALID",
      "Name a second backup or --live: holdfast diff FROM TO, or holdfast diff FROM --live.",
    );
  const now = nowMicros();
  const selection = selectionOf(flags);
  const decryption = await readDecryption(context, flags);
  const toState = pointInTimeOf(
    to === undefined ? "" : toUri(to),
    flags.toAt,
    flags.toBackup,
    flags.index,
    now,
  );
  const request = {
    from: {
      ...pointInTimeOf(toUri(from), flags.at, flags.backup, flags.index, now),
      ...decryption,
    },
    to: { ...toState, ...(to !== undefined && decryption) },
    ...(selection && { selection }),
    progress: !context.json && !context.quiet,
  };
  const writer = writers[context.json ? "json" : (flags.format ?? "text")]!(context);
  const work = async ({ management }: Session) => {
    let summary: DiffSummary | undefined;
    let hasBegun = false;
    const bar = startProgress(context);
    try {
      for await (const part of management.diffBackups(request, { signal: context.abort.signal })) {
        if (part.progress) bar.update(progressOf(part.progress));
        // A progress bar would overwrite differences on the same terminal.
        if (process.stdout.isTTY && (part.summary || part.differences.length > 0)) bar.stop();
        if (!hasBegun) await writer.begin();
        hasBegun = true;
        for (const difference of part.differences) await writer.difference(difference);
        summary = part.summary ?? summary;
      }
    } finally {
      bar.stop();
    }
    if (!summary)
      throw new HostError(
        "SOURCE_CHANGED",
        "The comparison is incomplete: the stream ended before its summary. Run the command again.",
      );
    await writer.end(summary);
    for (const warning of warningsOf(summary.warnings)) context.printNote(warning);
    return summary.created + summary.changed + summary.deleted > 0n ? documentsDiffer : 0;
  };
  if (!flags.live) return withFilesOrHost(context, flags, work);
  if (flags.offline)
    throw new HostError(
      "REQUEST_INVALID",
      "--live and --offline are mutually exclusive: the live index is on a host.",
    );
  return withHost(context, flags, work);
}

function progressOf({ stage, recordsDone, recordsTotal }: DiffProgress): ProgressState {
  return {
    stage,
    done: Number(recordsDone),
    total: Number(recordsTotal),
    unit: "records",
    detail: recordsDone > 0n ? formatCount(recordsDone, "record") : "",
  };
}

function pointInTimeOf(
  uri: string,
  at: string | undefined,
  backupName = "",
  indexLink = "",
  now: bigint,
) {
  return {
    uri,
    backupName,
    indexLink,
    ...(at !== undefined && { targetTimeMicros: parseTime(at, now) }),
  };
}

/** Writes differences as they arrive, so that memory use does not depend on their number. */
interface Writer {
  begin(): Promise<void>;
  difference(difference: DocumentDifference): Promise<void>;
  end(summary: DiffSummary): Promise<void>;
}

const doNothing = async () => {};

const writers: Record<string, (context: CommandContext) => Writer> = {
  text: (context) => ({
    begin: doNothing,
    difference: (difference) => context.printText(differenceLine(difference, context.formatTime)),
    end: ({ created, changed, deleted, unchanged }) =>
      context.printText(
        `${formatNumber(created)} created (+), ${formatNumber(changed)} changed (~), ${formatNumber(deleted)} deleted (-), ${formatNumber(unchanged)} unchanged.`,
      ),
  }),
  ndjson: () => ({
    begin: doNothing,
    difference: (difference) =>
      print(`${JSON.stringify(toJson(DocumentDifferenceSchema, difference))}\n`),
    end: (summary) => print(`${JSON.stringify({ summary: toJson(DiffSummarySchema, summary) })}\n`),
  }),
  json: ({ command }) => {
    let separator = "";
    return {
      begin: () =>
        print(
          `{"schema":${JSON.stringify(jsonSchema)},"command":${JSON.stringify(command)},"result":{"differences":[`,
        ),
      async difference(difference) {
        await print(`${separator}${JSON.stringify(toJson(DocumentDifferenceSchema, difference))}`);
        separator = ",";
      },
      end: (summary) =>
        print(`],"summary":${JSON.stringify(toJson(DiffSummarySchema, summary))}}}\n`),
    };
  },
};
