import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import {
  RestoreResultSchema,
  type RestoreResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { confirm, declined } from "../confirm.js";
import { withHost, type Session } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatCount } from "../output/format.js";
import { warningsOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";

/** Flags of holdfast undo. */
export interface UndoFlags extends OperationFlags {
  index?: string;
  ignorePartialRestores?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

/**
 * Implements holdfast undo: shows what would be left out, prompts, and reverts the last restore. Returns the
 * exit code if the user declines.
 */
export async function undo(context: CommandContext, flags: UndoFlags): Promise<number | undefined> {
  return withHost(context, flags, async (session) => {
    const plan = await runUndo(context, {}, session, flags, true);
    if (plan === undefined) return undefined;
    const planned = resultOf(plan, RestoreResultSchema);
    if (flags.dryRun) {
      await context.printResult(RestoreResultSchema, planned, () =>
        ["Dry run, nothing was changed.", planText(context, planned)].join("\n"),
      );
      return undefined;
    }
    await context.printText(planText(context, planned));
    if (!(await confirm(context, "Undo the restore?", flags.yes))) return declined(context);
    context.abort.signal.throwIfAborted();
    const operation = await runUndo(context, flags, session, flags, false);
    if (operation === undefined) return undefined;
    const result = resultOf(operation, RestoreResultSchema);
    const text = `Reverted the last restore of ${result.indexLink}. The index has ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")}, last changed ${context.formatTime(result.positionMicros)}.`;
    await context.printResult(RestoreResultSchema, result, () =>
      [text, ...warningsOf(result.warnings), "To revert this: holdfast undo"].join("\n"),
    );
    return undefined;
  });
}

function runUndo(
  context: CommandContext,
  operationFlags: OperationFlags,
  session: Session,
  { index = "", ignorePartialRestores = false }: UndoFlags,
  validateOnly: boolean,
): Promise<Operation | undefined> {
  return runOperation(context, operationFlags, session, {
    start: () =>
      session.management.undoRestore({ indexLink: index, ignorePartialRestores, validateOnly }),
    afterCancel: {
      state: "The index is unchanged.",
      retry: "To undo the restore, run the same command again.",
    },
  });
}

function planText(
  { formatTime }: CommandContext,
  { indexLink, positionMicros, plan }: RestoreResult,
) {
  const { currentDocuments = 0n, currentPositionMicros = 0n, discardedVersions } = plan ?? {};
  const lost =
    discardedVersions === undefined
      ? "The versions since the restore cannot be counted, because the index is damaged; they are left out"
      : discardedVersions === 0n
        ? "Nothing was written since the restore"
        : `${formatCount(discardedVersions, "version")} written since the restore ${discardedVersions === 1n ? "is" : "are"} left out`;
  const current =
    discardedVersions === undefined
      ? "is damaged"
      : `currently has ${formatCount(currentDocuments, "document")}, last changed ${formatTime(currentPositionMicros)}`;
  return `${indexLink} ${current}. It will be replaced by the index from before the last restore, ${positionMicros === 0n ? "which has no writes" : `last changed ${formatTime(positionMicros)}`}. ${lost}. A second undo reverts this.`;
}
