import {
  BackupState,
  PruneBackupsResponseSchema,
  type PruneBackupsResponse,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { create } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { confirm, declined } from "../confirm.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { formatBytes, formatCount } from "../output/format.js";
import { displayUri, toUri } from "../destination-uri.js";
import { namesToPrune } from "../../backup/retention.js";
import type { CommandContext } from "../command-context.js";
import { nowMicros, parseAge } from "../time.js";

/** Flags of holdfast prune. */
export interface PruneFlags extends HostFlags {
  keep?: string;
  olderThan?: string;
  dryRun?: boolean;
  yes?: boolean;
  requestId?: string;
}

/** Implements holdfast prune: shows what would be removed, prompts, and removes it. */
export async function prune(
  context: CommandContext,
  flags: PruneFlags,
  destination = "",
  ...given: (string | undefined)[]
): Promise<number | void> {
  const uri = toUri(destination);
  const rule = ruleOf(
    flags,
    given.filter((name) => name !== undefined),
  );
  return withHost<number | void>(context, flags, async (session) => {
    const { signal } = context.abort;
    const listed = await listAllBackups(session, { uri }, signal);
    const candidates = listed.map(({ name, state, backup }) => ({
      name,
      complete: state === BackupState.COMPLETE,
      createTimeMicros: backup?.createTimeMicros ?? 0n,
      indexId: backup?.indexId ?? "",
    }));
    const selected = namesToPrune(candidates, rule);
    if (selected.length === 0)
      return context.printResult(
        PruneBackupsResponseSchema,
        create(PruneBackupsResponseSchema),
        () => "No backups match. Nothing was removed.",
      );
    const plan = await session.management.pruneBackups(
      { uri, names: selected, validateOnly: true },
      { signal },
    );
    if (flags.dryRun)
      return context.printResult(PruneBackupsResponseSchema, plan, () =>
        [
          ...removedItems(plan),
          ...keptItems(context, plan),
          `Dry run, nothing was removed. Would remove ${totals(plan)} from ${displayUri(uri)}.`,
        ].join("\n"),
      );
    if (!flags.yes)
      await context.printText(
        [
          ...removedItems(plan),
          ...keptItems(context, plan),
          `Will remove ${totals(plan)} from ${displayUri(uri)}. This cannot be undone.`,
        ].join("\n"),
      );
    if (!(await confirm(context, "Remove these backups?", flags.yes))) return declined(context);
    signal.throwIfAborted();
    const result = await session.management.pruneBackups({
      uri,
      names: selected,
      requestId: flags.requestId ?? "",
    });
    await context.printResult(PruneBackupsResponseSchema, result, () =>
      [
        ...removedItems(result),
        ...keptItems(context, result),
        `Removed ${totals(result)} from ${displayUri(uri)}.`,
      ].join("\n"),
    );
  });
}

function ruleOf({ keep, olderThan }: PruneFlags, names: string[]) {
  if (keep !== undefined && !/^[1-9]\d{0,5}$/.test(keep))
    throw new HostError("REQUEST_INVALID", "--keep must be a whole number of at least 1.");
  const rule = {
    names,
    ...(keep !== undefined && { keep: Number(keep) }),
    ...(olderThan !== undefined && { olderThanMicros: parseAge(olderThan, nowMicros()) }),
  };
  // Validates the rule before connecting to the host.
  namesToPrune([], rule);
  return rule;
}

const removedItems = ({ removedBackups, removedFiles }: PruneBackupsResponse) => [
  ...removedBackups.map((name) => `backup ${name}`),
  ...removedFiles.filter((name) => !removedBackups.includes(name)).map((name) => `  file ${name}`),
];

const keptItems = (
  { formatTime }: CommandContext,
  { lockedFiles, pinnedBackups }: PruneBackupsResponse,
): string[] => [
  ...lockedFiles.map(
    ({ name, lockedUntilMicros }) =>
      `kept: ${name} is locked until ${formatTime(lockedUntilMicros)}`,
  ),
  ...pinnedBackups.map((name) => `kept: ${name} is pinned`),
];

const totals = ({ removedBackups, removedFiles, freedBytes }: PruneBackupsResponse) =>
  `${formatCount(removedBackups.length, "backup")} with ${formatCount(removedFiles.length, "file")} (${formatBytes(freedBytes)})`;
