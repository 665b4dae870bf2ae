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
import { formatNumber } from "../output/format.js";
import { jsonSchema } from "../output/json.js";
import { print } from "../output/print.js";
import { startProgress, type ProgressState } from "../output/progress.js";
import { toUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import { selectionOf } from "../selection.js";
import { nowMicros, parseTime } from "../time.js";

export interface DiffFlags extends HostFlags, SelectionFlags {
  live?: boolean;
  at?: string;
  toAt?: string;
  backup?: string;
  toBackup?: string;
  index?: string;
  format?: string;
}

const differs = 1;

/** holdfast diff: exits 1 where documents differ, as diff(1) does. */
export async function diff(
  context: CommandContext,
  flags: DiffFlags,
  from = "",
  to?: string,
): Promise<number> {
  if ((to === undefined) === !flags.live)
    throw new HostError(
      "REQUEST_INVALID",
      "Compare with another backup or with the live index: holdfast diff FROM TO, or holdfast diff FROM --live.",
    );
  const now = nowMicros();
  const selection = selectionOf(flags);
  const request = {
    from: momentOf(toUri(from), flags.at, flags.backup, flags.index, now),
    to: momentOf(to === undefined ? "" : toUri(to), flags.toAt, flags.toBackup, flags.index, now),
    ...(selection && { selection }),
    progress: !context.json && !context.quiet,
  };
  const writer = writers[context.json ? "json" : (flags.format ?? "text")]!(context);
  const work = async ({ management }: Session) => {
    let summary: DiffSummary | undefined;
    let begun = false;
    const bar = startProgress(context);
    try {
      for await (const part of management.diffBackups(request, { signal: context.abort.signal })) {
        if (part.progress) bar.update(progressOf(part.progress));
        // Lines on a terminal and a bar over them are no good together.
        if (process.stdout.isTTY && (part.summary || part.differences.length > 0)) bar.stop();
        if (!begun) await writer.begin();
        begun = true;
        for (const one of part.differences) await writer.difference(one);
        summary = part.summary ?? summary;
      }
    } finally {
      bar.stop();
    }
    if (!summary)
      throw new HostError(
        "SOURCE_CHANGED",
        "The comparison ended before its sums came: it is not complete. Give the command again.",
      );
    await writer.end(summary);
    return summary.created + summary.changed + summary.deleted > 0n ? differs : 0;
  };
  if (!flags.live) return withFilesOrHost(context, flags, work);
  if (flags.offline)
    throw new HostError(
      "REQUEST_INVALID",
      "--live asks a host, --offline asks none: give the one or the other.",
    );
  return withHost(context, flags, work);
}

function progressOf({ stage, recordsDone, recordsTotal }: DiffProgress): ProgressState {
  return {
    stage,
    done: Number(recordsDone),
    total: Number(recordsTotal),
    unit: "records",
    detail: recordsDone > 0n ? `${formatNumber(recordsDone)} records` : "",
  };
}

function momentOf(
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

/** Each difference is written as it comes, so that memory does not grow with their number. */
interface Writer {
  begin(): Promise<void>;
  difference(one: DocumentDifference): Promise<void>;
  end(summary: DiffSummary): Promise<void>;
}

const nothing = async () => {};

const writers: Record<string, (context: CommandContext) => Writer> = {
  text: (context) => ({
    begin: nothing,
    difference: (one) => context.printText(differenceLine(one)),
    end: ({ created, changed, deleted, same }) =>
      context.printText(
        `${formatNumber(created)} created (+), ${formatNumber(changed)} changed (~), ${formatNumber(deleted)} deleted (-), ${formatNumber(same)} the same.`,
      ),
  }),
  ndjson: () => ({
    begin: nothing,
    difference: (one) => print(`${JSON.stringify(toJson(DocumentDifferenceSchema, one))}\n`),
    end: (summary) => print(`${JSON.stringify({ summary: toJson(DiffSummarySchema, summary) })}\n`),
  }),
  json: ({ command }) => {
    let separator = "";
    return {
      begin: () =>
        print(
          `{"schema":${JSON.stringify(jsonSchema)},"command":${JSON.stringify(command)},"result":{"differences":[`,
        ),
      async difference(one) {
        await print(`${separator}${JSON.stringify(toJson(DocumentDifferenceSchema, one))}`);
        separator = ",";
      },
      end: (summary) =>
        print(`],"summary":${JSON.stringify(toJson(DiffSummarySchema, summary))}}}\n`),
    };
  },
};
