import { resolve } from "node:path";
import {
  RestoreResultSchema,
  type DescribePointInTimeResponse,
  type LogEntry,
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
  formatCount,
  formatDuration,
} from "../output/format.js";
import { list, table } from "../output/table.js";
import { durationOf, warningsOf } from "../output/result.js";
import { displayUri, isListable, toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import { selectionOf } from "../selection.js";
import { formatTime } from "../../io/time.js";
import { nowMicros, parseTime } from "../time.js";
import { readBearer } from "./backup.js";
import { selectionText } from "./selection-text.js";

/** Flags of holdfast restore. */
export interface RestoreFlags extends OperationFlags, SelectionFlags, DecryptionFlags {
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

const defaultIndex = "/core/document-index";

/**
 * Implements holdfast restore: shows what would be replaced, prompts, and restores. Returns the
 * exit code if the user declines.
 */
export async function restore(
  context: CommandContext,
  flags: RestoreFlags,
  source = "",
): Promise<number | undefined> {
  const request = { ...requestOf(flags, source), ...(await readDecryption(context, flags)) };
  const resolvedOptions = {
    ...(request.targetTimeMicros !== undefined && { "--at": formatTime(request.targetTimeMicros) }),
  };
  const work = async (session: Session): Promise<number | undefined> => {
    if (flags.dryRun) {
      await dryRun(context, flags, session, request);
      return undefined;
    }
    const needsConfirmation = request.selection
      ? !flags.yes && (await previewSelection(context, session, request))
      : await undefinedIfForbidden(
          session,
          flags.yes,
          previewWhole(context, flags, session, request),
        );
    if (needsConfirmation && !(await confirm(context, "Restore?", flags.yes, resolvedOptions)))
      return declined(context);
    context.abort.signal.throwIfAborted();
    const operation = await runOperation(context, flags, session, {
      start: () => session.management.restore({ ...request, requestId: flags.requestId ?? "" }),
      afterCancel: request.selection
        ? {
            state: "Documents restored so far keep their restored versions; others are unchanged.",
            retry: "To resume, run the same command again.",
          }
        : {
            state: "The index is unchanged.",
            retry: "To start over, run the same command again.",
          },
    });
    if (operation === undefined) return undefined;
    const result = resultOf(operation, RestoreResultSchema);
    await context.printResult(RestoreResultSchema, result, () =>
      resultText(context, operation, result, flags),
    );
    return undefined;
  };
  if (flags.dataDir === undefined) return withHost(context, flags, work);
  if (flags.detach)
    throw new HostError(
      "REQUEST_INVALID",
      "--detach requires a host that continues the operation; --data-dir restores in this process.",
    );
  if (flags.dataDir.trim() === "")
    throw new HostError(
      "REQUEST_INVALID",
      "--data-dir is empty. Name the data directory to create.",
    );
  return withFiles(context, flags, work, resolve(flags.dataDir));
}

type Request = ReturnType<typeof requestOf> & Awaited<ReturnType<typeof readDecryption>>;

function requestOf(flags: RestoreFlags, source: string) {
  const selection = selectionOf(flags);
  if (flags.deleteOthers && !selection)
    throw new HostError(
      "REQUEST_INVALID",
      "--delete-others requires --prefix, --kind or --link. A restore without them replaces the whole index.",
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
    start: () => session.management.restore({ ...request, validateOnly: true }),
    afterCancel: { state: "Nothing was changed.", retry: "" },
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
  const versionsText =
    flags.at === undefined || context.json ? "" : await pointInTimeText(context, session, request);
  await context.printResult(RestoreResultSchema, result, () =>
    [
      versionsText,
      "Dry run, nothing was restored.",
      result.selection
        ? selectionText(result.selection, "would be", context.formatTime)
        : result.plan
          ? planText(context, result.plan, request)
          : "The request is valid.",
    ]
      .filter((part) => part !== "")
      .join("\n"),
  );
}

/** Shows which selected documents would be written. Returns whether that needs confirmation. */
async function previewSelection(
  context: CommandContext,
  session: Session,
  request: Request,
): Promise<boolean> {
  const selection = (await validate(context, session, request))?.result.selection;
  if (!selection) return true;
  if (request.targetTimeMicros !== undefined)
    await context.printText(await pointInTimeText(context, session, request));
  await context.printText(selectionText(selection, "would be", context.formatTime));
  return selection.replaced + selection.deleted > 0n;
}

/**
 * Shows what a restore of the whole index would replace. Returns whether that needs confirmation.
 */
async function previewWhole(
  context: CommandContext,
  flags: RestoreFlags,
  session: Session,
  request: Request,
): Promise<boolean> {
  const { signal } = context.abort;
  if (session.offline) {
    // An offline session is opened only on an empty data directory, so that there is nothing to
    // replace.
    if (flags.at !== undefined && !context.json && !context.quiet)
      await context.printText(await pointInTimeText(context, session, request));
    return false;
  }
  const host = await session.management.getHost({}, { signal });
  const link = request.indexLink || defaultIndex;
  const index = host.indexes.find((candidate) => candidate.link === link);
  if (!index)
    throw new HostError(
      "INDEX_NOT_FOUND",
      `Index ${link} not found on the host. Available indexes: ${host.indexes.map((candidate) => candidate.link).join(", ")}.`,
    );
  // Only the restore itself reads sources over http(s) and transfers.
  const backup = isListable(request.source)
    ? await backupOf(context, session, request, link)
    : undefined;
  const { window } = backup ?? {};
  const targetTime = request.targetTimeMicros;
  // The restore rejects this time with a detailed error, so that there is nothing to confirm.
  if (
    targetTime !== undefined &&
    window &&
    (targetTime < window.earliestMicros || targetTime > window.latestMicros)
  )
    return false;
  if (context.json || context.quiet) return index.documents > 0n;
  if (flags.at !== undefined)
    await context.printText(await pointInTimeText(context, session, request));
  const endTime = targetTime ?? backup?.positionMicros;
  const discarded =
    endTime !== undefined && index.positionMicros > endTime
      ? await versionsAfter(context, session, link, endTime)
      : undefined;
  await context.printText(previewText(context, index, backup, endTime, discarded, request));
  return index.documents > 0n;
}

/**
 * Describes the backup that will be restored: a destination may contain backups of several indexes.
 */
async function backupOf(
  { abort: { signal } }: CommandContext,
  session: Session,
  { source, backupName, decryption }: Request,
  link: string,
): Promise<BackupDescription | undefined> {
  // A token limited to some indexes may restore, but not list a destination, which may contain
  // backups of others.
  const backup = await undefinedIf(
    session,
    session.management.describeBackup(
      { uri: source, backupName, ...(decryption && { decryption }) },
      { signal },
    ),
    isIndexNotAllowed,
  );
  if (backup === undefined || backup.indexLink === link || backupName !== "") return backup;
  return (
    (
      await listAllBackups(session, { uri: source, ...(decryption && { decryption }) }, signal)
    ).find((entry) => entry.backup?.indexLink === link)?.backup ?? backup
  );
}

/**
 * Returns the number of versions in the index after a time; undefined if it no longer has the
 * history.
 */
async function versionsAfter(
  context: CommandContext,
  session: Session,
  indexLink: string,
  targetTimeMicros: bigint,
): Promise<bigint | undefined> {
  const described = session.management.describePointInTime(
    { pointInTime: { indexLink, targetTimeMicros } },
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

function previewText(
  { formatTime }: CommandContext,
  index: Index,
  backup: BackupDescription | undefined,
  endTime: bigint | undefined,
  discarded: bigint | undefined,
  request: Request,
): string {
  const now = nowMicros();
  const restored = backup
    ? `${contentText(formatTime, backup, request)}, ${formatBytes(backup.sizeBytes)}, created ${formatAge(backup.createTimeMicros, now)}: ${backup.name}`
    : `the backup at ${displayUri(request.source)}, which will be read when the restore runs`;
  const lines: [string, string][] = [
    ["index", index.link],
    [
      "current",
      `${formatCount(index.documents, "document")} with ${formatCount(index.versions, "version")}, last changed ${formatAge(index.positionMicros, now)} (${formatTime(index.positionMicros)})`,
    ],
    ["restored", restored],
  ];
  if (endTime !== undefined) lines.push(["restored up to", formatTime(endTime)]);
  if (endTime !== undefined && index.positionMicros > endTime) {
    lines.push([
      "discarded",
      `${discarded === undefined ? "current versions" : formatCount(discarded, "current version")} after that time, spanning ${formatDuration(index.positionMicros - endTime)}`,
    ]);
  }
  if (index.documents > 0n)
    lines.push(["undo", "the current index is kept; to revert to it: holdfast undo"]);
  return [list(lines), clockWarning(index.link, index.positionMicros, now, formatTime)]
    .filter((part) => part !== "")
    .join("\n");
}

/**
 * Formats the versions around the target time, and the number of versions after it; "" if the host
 * cannot tell.
 */
async function pointInTimeText(
  context: CommandContext,
  session: Session,
  { source, backupName, targetTimeMicros, bearer }: Request,
): Promise<string> {
  let found: DescribePointInTimeResponse;
  try {
    found = await session.management.describePointInTime(
      {
        pointInTime: {
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
  const targetTime = targetTimeMicros ?? 0n;
  const { formatTime } = context;
  const row = (effect: string, version: LogEntry) => [
    effect,
    formatTime(version.timeMicros),
    version.action,
    version.selfLink,
    String(version.version),
  ];
  const rows = [
    ...found.before.toReversed().map((version) => row("keep", version)),
    ["-->", formatTime(targetTime), "", "target time", ""],
    ...found.after.map((version) => row("discard", version)),
  ];
  const columns = [
    { head: "EFFECT" },
    { head: "TIME" },
    { head: "ACTION" },
    { head: "DOCUMENT" },
    { head: "VERSION", right: true },
  ];
  return `${table(columns, rows)}\n${formatCount(found.versionsAfter, "version")} in the backup ${found.versionsAfter === 1n ? "is" : "are"} after the target time and will not be restored.\n`;
}

function planText({ formatTime }: CommandContext, plan: RestorePlan, request: Request): string {
  const { backup } = plan;
  const { source } = request;
  const lines: [string, string][] = [
    ["source", backup ? `${displayUri(backup.uri)}, ${backup.name}` : displayUri(source)],
    [
      "current",
      `${formatCount(plan.currentDocuments, "document")} with ${formatCount(plan.currentVersions, "version")}, last changed ${formatTime(plan.currentPositionMicros)}`,
    ],
    ["restored", backup ? contentText(formatTime, backup, request) : "unknown"],
    [
      "discarded",
      plan.discardedVersions === undefined
        ? "all current versions: the backup is of another lineage"
        : formatCount(plan.discardedVersions, "current version"),
    ],
    [
      "space",
      `${formatBytes(plan.neededBytes)} required in addition to the index; ${formatBytes(plan.freeBytes)} free`,
    ],
    [
      "expected time",
      plan.expectedMicros === undefined
        ? "unknown: no earlier restore"
        : formatDuration(plan.expectedMicros),
    ],
  ];
  return [
    list(lines),
    clockWarning("the index", plan.currentPositionMicros, nowMicros(), formatTime),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

/**
 * Formats what is restored. For a point in time within the backup the exact number is known only
 * after the restore.
 */
function contentText(
  formatTime: (micros: bigint) => string,
  backup: BackupDescription,
  { targetTimeMicros }: Pick<Request, "targetTimeMicros">,
): string {
  const versions = formatCount(backup.versions, "version");
  if (targetTimeMicros === undefined)
    return `${formatCount(backup.documents, "document")} with ${versions}`;
  return `the state at ${formatTime(targetTimeMicros)}, from ${versions}`;
}

function resultText(
  { formatTime }: CommandContext,
  operation: Operation,
  result: RestoreResult,
  flags: RestoreFlags,
): string {
  if (result.selection)
    return [
      selectionText(result.selection, "were", formatTime),
      ...warningsOf(result.warnings),
    ].join("\n");
  const lines: [string, string][] = [
    ["restored up to", formatTime(result.targetTimeMicros ?? result.positionMicros)],
    ["lineage", result.lineage],
  ];
  return [
    `Restored ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")} into ${result.indexLink} in ${formatDuration(durationOf(operation))}.`,
    list(lines),
    ...warningsOf(result.warnings),
    flags.dataDir === undefined
      ? "To undo: holdfast undo"
      : `To start a host on it: holdfast serve --data-dir ${flags.dataDir}`,
  ].join("\n");
}
