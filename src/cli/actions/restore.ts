import { resolve } from "node:path";
import {
  RestoreResultSchema,
  type DescribeMomentResponse,
  type BackupDescription,
  type Index,
  type RestorePlan,
  type RestoreResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { confirm, declined } from "../confirm.js";
import {
  isIndexNotAllowed,
  undefinedIf,
  undefinedIfForbidden,
  withFiles,
  withHost,
  type Session,
} from "../connect/session.js";
import type { OperationFlags, SelectionFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { resultOf, runOperation } from "../operation.js";
import {
  formatAge,
  formatBytes,
  clockWarning,
  count,
  moment,
  formatDuration,
} from "../output/format.js";
import { list, table } from "../output/table.js";
import { durationOf, warningsOf } from "../output/result.js";
import { toUri, displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import { selectionOf } from "../selection.js";
import { formatTime, nowMicros, parseTime } from "../time.js";
import { readBearer } from "./backup.js";
import { selectionText } from "./selection-text.js";

export interface RestoreFlags extends OperationFlags, SelectionFlags {
  at?: string;
  backup?: string;
  index?: string;
  ifPosition?: string;
  base?: string[];
  bearerFile?: string;
  requestId?: string;
  deleteOthers?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  dataDir?: string;
}

const durableIndex = "/core/document-index";

/** holdfast restore: shows what would be replaced, asks, and restores. */
export async function restore(
  context: CommandContext,
  flags: RestoreFlags,
  source = "",
): Promise<number | undefined> {
  const request = requestOf(flags, source);
  const fixed = {
    ...(request.targetTimeMicros !== undefined && { "--at": request.targetTimeMicros.toString() }),
  };
  const work = async (session: Session): Promise<number | undefined> => {
    if (flags.dryRun) {
      await dryRun(context, flags, session, request);
      return undefined;
    }
    const wanted = request.selection
      ? !flags.yes && (await previewSelection(context, session, request))
      : await undefinedIfForbidden(
          session,
          flags.yes,
          previewWhole(context, flags, session, request),
        );
    if (wanted && !(await confirm(context, "Restore?", flags.yes, fixed))) return declined(context);
    context.abort.signal.throwIfAborted();
    const operation = await runOperation(context, flags, session, {
      begin: () => session.management.restore({ ...request, requestId: flags.requestId ?? "" }),
      left: request.selection
        ? {
            state: "Documents that were put back before stay so; all others are as they were.",
            retry: "The same command goes on.",
          }
        : { state: "The index is as it was before.", retry: "The same command restores it." },
    });
    if (operation === undefined) return undefined;
    const result = resultOf(operation, RestoreResultSchema);
    await context.printResult(RestoreResultSchema, result, () =>
      resultText(operation, result, flags),
    );
    return undefined;
  };
  if (flags.dataDir === undefined) return withHost(context, flags, work);
  if (flags.detach)
    throw new HostError(
      "REQUEST_INVALID",
      "--detach needs a host that goes on with the work; --data-dir restores in this process.",
    );
  if (flags.dataDir.trim() === "")
    throw new HostError(
      "REQUEST_INVALID",
      "--data-dir is empty: name the directory that is to be made.",
    );
  return withFiles(context, work, resolve(flags.dataDir));
}

type Request = ReturnType<typeof requestOf>;

function requestOf(flags: RestoreFlags, source: string) {
  const selection = selectionOf(flags);
  if (flags.deleteOthers && !selection)
    throw new HostError(
      "REQUEST_INVALID",
      "--delete-others goes with --prefix, --kind or --link: a restore without them replaces everything anyway.",
    );
  const now = nowMicros();
  return {
    source: toUri(source),
    indexLink: flags.index ?? "",
    backupName: flags.backup ?? "",
    baseSources: (flags.base ?? []).map(toUri),
    bearer: readBearer(flags.bearerFile),
    ...(flags.at !== undefined && { targetTimeMicros: parseTime(flags.at, now) }),
    ...(flags.ifPosition !== undefined && { ifPositionMicros: parseTime(flags.ifPosition, now) }),
    ...(selection && { selection: { ...selection, deleteOthers: flags.deleteOthers ?? false } }),
  };
}

async function validate(
  context: CommandContext,
  session: Session,
  request: Request,
): Promise<{ operation: Operation; result: RestoreResult } | undefined> {
  const operation = await runOperation(context, {}, session, {
    begin: () => session.management.restore({ ...request, validateOnly: true }),
    left: { state: "Nothing was begun.", retry: "" },
  });
  return operation && { operation, result: resultOf(operation, RestoreResultSchema) };
}

async function dryRun(
  context: CommandContext,
  flags: RestoreFlags,
  session: Session,
  request: Request,
): Promise<void> {
  const validated = await validate(context, session, request);
  if (!validated) return;
  const { result } = validated;
  const nearest =
    flags.at === undefined || context.json ? "" : await momentText(context, session, request);
  await context.printResult(RestoreResultSchema, result, () =>
    [
      nearest,
      "Nothing was done.",
      result.selection
        ? selectionText(result.selection, "would be")
        : result.plan
          ? planText(result.plan, request)
          : "The request is good.",
    ]
      .filter((part) => part !== "")
      .join("\n"),
  );
}

/** Shows what a selection would write; whether that takes a question. */
async function previewSelection(
  context: CommandContext,
  session: Session,
  request: Request,
): Promise<boolean> {
  const selection = (await validate(context, session, request))?.result.selection;
  if (!selection) return true;
  if (request.targetTimeMicros !== undefined)
    await context.printText(await momentText(context, session, request));
  await context.printText(selectionText(selection, "would be"));
  return selection.replaced + selection.deleted > 0n;
}

/** Shows what a restore would replace; whether there is anything. */
async function previewWhole(
  context: CommandContext,
  flags: RestoreFlags,
  session: Session,
  request: Request,
): Promise<boolean> {
  const { signal } = context.abort;
  if (session.offline) {
    // The data directory is empty, or the session would not have been opened.
    if (flags.at !== undefined && !context.json && !context.quiet)
      await context.printText(await momentText(context, session, request));
    return false;
  }
  const host = await session.management.getHost({}, { signal });
  const link = request.indexLink || durableIndex;
  const index = host.indexes.find((one) => one.link === link);
  if (!index)
    throw new HostError(
      "INDEX_NOT_FOUND",
      `The host has no index ${link}; it has ${host.indexes.map((one) => one.link).join(", ")}.`,
    );
  // What is not a file is only looked at by the restore itself.
  const backup = request.source.startsWith("file:")
    ? await backupOf(context, session, request, link)
    : undefined;
  const { window } = backup ?? {};
  const at = request.targetTimeMicros;
  // Refused by the restore, in its own words: nothing to ask about.
  if (at !== undefined && window && (at < window.earliestMicros || at > window.latestMicros))
    return false;
  if (context.json || context.quiet) return index.documents > 0n;
  if (flags.at !== undefined) await context.printText(await momentText(context, session, request));
  const until = request.targetTimeMicros ?? backup?.positionMicros;
  const leftOut =
    until !== undefined && index.positionMicros > until
      ? await versionsAfter(context, session, link, until)
      : undefined;
  await context.printText(wholeText(index, backup, until, leftOut, request));
  return index.documents > 0n;
}

/** The backup that the restore will take: several indexes may be backed up to one place. */
async function backupOf(
  { abort: { signal } }: CommandContext,
  session: Session,
  { source, backupName }: Request,
  link: string,
): Promise<BackupDescription | undefined> {
  // A token for some indexes may restore, but not look into a place where others' backups may lie.
  const backup = await undefinedIf(
    session,
    session.management.describeBackup({ uri: source, backupName }, { signal }),
    isIndexNotAllowed,
  );
  if (backup === undefined || backup.indexLink === link || backupName !== "") return backup;
  return (
    (await listAllBackups(session, { uri: source }, signal)).find(
      (one) => one.backup?.indexLink === link,
    )?.backup ?? backup
  );
}

/** How many versions the index has after a time; undefined where it no longer knows. */
async function versionsAfter(
  context: CommandContext,
  session: Session,
  indexLink: string,
  targetTimeMicros: bigint,
): Promise<bigint | undefined> {
  const described = session.management.describeMoment(
    { moment: { indexLink, targetTimeMicros } },
    { signal: context.abort.signal },
  );
  return (
    await undefinedIf(
      session,
      described,
      ({ reason }) => reason === "TARGET_TIME_OUT_OF_RANGE" || reason === "NOT_SUPPORTED",
    )
  )?.versionsAfter;
}

function wholeText(
  index: Index,
  backup: BackupDescription | undefined,
  until: bigint | undefined,
  leftOut: bigint | undefined,
  request: Request,
): string {
  const now = nowMicros();
  const comes = backup
    ? `${broughtText(backup, request)}, ${formatBytes(backup.sizeBytes)}, made ${formatAge(backup.createTimeMicros, now)}: ${backup.name}`
    : `the backup at ${displayUri(request.source)}, which is looked at when it is restored`;
  const lines: [string, string][] = [
    ["index", index.link],
    [
      "has now",
      `${count(index.documents, "document")} with ${count(index.versions, "version")}, last changed ${formatAge(index.positionMicros, now)}: ${moment(index.positionMicros)}`,
    ],
    ["comes back", comes],
  ];
  if (until !== undefined) lines.push(["until", moment(until)]);
  if (until !== undefined && index.positionMicros > until) {
    lines.push([
      "left out",
      `${leftOut === undefined ? "the versions" : count(leftOut, "version")} of now that came after that, over ${formatDuration(index.positionMicros - until)}`,
    ]);
  }
  if (index.documents > 0n)
    lines.push(["the index as it is", "is kept: holdfast undo goes back to it"]);
  return [list(lines), clockWarning(index.link, index.positionMicros, now)]
    .filter((part) => part !== "")
    .join("\n");
}

/** The versions next to the moment, and how many come after it. */
async function momentText(
  context: CommandContext,
  session: Session,
  { source, backupName, targetTimeMicros, bearer }: Request,
): Promise<string> {
  let found: DescribeMomentResponse;
  try {
    found = await session.management.describeMoment(
      {
        moment: {
          uri: source,
          backupName,
          bearer,
          ...(targetTimeMicros !== undefined && { targetTimeMicros }),
        },
      },
      { signal: context.abort.signal },
    );
  } catch (thrown) {
    const error = await session.explain(thrown);
    if (error.reason === "NOT_SUPPORTED") return "";
    throw error;
  }
  const at = targetTimeMicros ?? 0n;
  const rows = [
    ...found.before
      .toReversed()
      .map((one) => [
        "stays",
        formatTime(one.timeMicros),
        one.timeMicros.toString(),
        one.action,
        one.selfLink,
        String(one.version),
      ]),
    ["-->", formatTime(at), at.toString(), "", "the moment", ""],
    ...found.after.map((one) => [
      "goes",
      formatTime(one.timeMicros),
      one.timeMicros.toString(),
      one.action,
      one.selfLink,
      String(one.version),
    ]),
  ];
  const columns = [
    { head: "THEN" },
    { head: "TIME" },
    { head: "MICROS" },
    { head: "ACTION" },
    { head: "DOCUMENT" },
    { head: "VERSION", right: true },
  ];
  return `${table(columns, rows)}\n${count(found.versionsAfter, "version")} of the backup ${found.versionsAfter === 1n ? "is" : "are"} after that moment and left out.\n`;
}

function planText(plan: RestorePlan, request: Request): string {
  const { backup } = plan;
  const { source } = request;
  const lines: [string, string][] = [
    ["from", backup ? `${displayUri(backup.uri)}, ${backup.name}` : displayUri(source)],
    [
      "would replace",
      `${count(plan.currentDocuments, "document")} with ${count(plan.currentVersions, "version")}, last changed ${moment(plan.currentPositionMicros)}`,
    ],
    ["would bring", backup ? broughtText(backup, request) : "not known"],
    [
      "would leave out",
      plan.versionsLeftOut === undefined
        ? "all versions of now: the backup is of another history"
        : `${count(plan.versionsLeftOut, "version")} of now`,
    ],
    [
      "takes",
      `${formatBytes(plan.neededBytes)} beside the index; ${formatBytes(plan.freeBytes)} are free`,
    ],
    [
      "takes about",
      plan.expectedMicros === undefined
        ? "not known: nothing was restored yet"
        : formatDuration(plan.expectedMicros),
    ],
  ];
  return [list(lines), clockWarning("the index", plan.currentPositionMicros, nowMicros())]
    .filter((part) => part !== "")
    .join("\n");
}

/** A moment within a backup has less than all of it; how much is known when it is restored. */
function broughtText(
  backup: BackupDescription,
  { targetTimeMicros }: Pick<Request, "targetTimeMicros">,
): string {
  const versions = count(backup.versions, "version");
  if (targetTimeMicros === undefined)
    return `${count(backup.documents, "document")} with ${versions}`;
  return `what there was at ${formatTime(targetTimeMicros)}, out of ${versions}`;
}

function resultText(operation: Operation, result: RestoreResult, flags: RestoreFlags): string {
  if (result.selection)
    return [selectionText(result.selection, "were"), ...warningsOf(result.warnings)].join("\n");
  const lines: [string, string][] = [
    ["until", moment(result.targetTimeMicros ?? result.positionMicros)],
    ["lineage", result.lineage],
  ];
  return [
    `Restored ${count(result.documents, "document")} with ${count(result.versions, "version")} into ${result.indexLink} in ${formatDuration(durationOf(operation))}.`,
    list(lines),
    ...warningsOf(result.warnings),
    flags.dataDir === undefined
      ? "Was it a mistake? holdfast undo"
      : `Start a host on it: holdfast serve --data-dir ${flags.dataDir}`,
  ].join("\n");
}
