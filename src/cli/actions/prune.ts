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
import { formatBytes, count } from "../output/format.js";
import { toUri, displayUri } from "../destination-uri.js";
import { namesToPrune } from "../prune-names.js";
import type { CommandContext } from "../command-context.js";
import { nowMicros, parseAge } from "../time.js";

export interface PruneFlags extends HostFlags {
  keep?: string;
  olderThan?: string;
  dryRun?: boolean;
  yes?: boolean;
  requestId?: string;
}

/** holdfast prune: shows what would go, asks, and removes it. */
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
    const chosen = namesToPrune(candidates, rule);
    if (chosen.length === 0)
      return context.printResult(
        PruneBackupsResponseSchema,
        create(PruneBackupsResponseSchema),
        () => "No backup is to be removed. Nothing was removed.",
      );
    const plan = await session.management.pruneBackups(
      { uri, names: chosen, validateOnly: true },
      { signal },
    );
    if (flags.dryRun)
      return context.printResult(PruneBackupsResponseSchema, plan, () =>
        [
          ...removed(plan),
          `Nothing was removed. ${sums(plan)} would go from ${displayUri(uri)}.`,
        ].join("\n"),
      );
    if (!flags.yes)
      await context.printText(
        [
          ...removed(plan),
          `${sums(plan)} would go from ${displayUri(uri)}, and nothing brings them back.`,
        ].join("\n"),
      );
    if (!(await confirm(context, "Remove them?", flags.yes))) return declined(context);
    signal.throwIfAborted();
    const result = await session.management.pruneBackups({
      uri,
      names: chosen,
      requestId: flags.requestId ?? "",
    });
    await context.printResult(PruneBackupsResponseSchema, result, () =>
      [...removed(result), `Removed ${sums(result)} from ${displayUri(uri)}.`].join("\n"),
    );
  });
}

function ruleOf({ keep, olderThan }: PruneFlags, names: string[]) {
  if (keep !== undefined && !/^[1-9]\d{0,5}$/.test(keep))
    throw new HostError("REQUEST_INVALID", "--keep takes a whole number from 1.");
  const rule = {
    names,
    ...(keep !== undefined && { keep: Number(keep) }),
    ...(olderThan !== undefined && { olderThanMicros: parseAge(olderThan, nowMicros()) }),
  };
  // Before a host is asked for anything.
  namesToPrune([], rule);
  return rule;
}

const removed = ({ removedBackups, removedFiles }: PruneBackupsResponse) => [
  ...removedBackups.map((name) => `backup ${name}`),
  ...removedFiles.filter((name) => !removedBackups.includes(name)).map((name) => `  file ${name}`),
];

const sums = ({ removedBackups, removedFiles, freedBytes }: PruneBackupsResponse) =>
  `${count(removedBackups.length, "backup")} with ${count(removedFiles.length, "file")}, ${formatBytes(freedBytes)},`.replace(
    /,$/,
    "",
  );
