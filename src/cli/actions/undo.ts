import { RestoreResultSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { confirm, declined } from "../confirm.js";
import { undefinedIfForbidden, withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatCount } from "../output/format.js";
import { warningsOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";

/** Flags of holdfast undo. */
export interface UndoFlags extends OperationFlags {
  index?: string;
  yes?: boolean;
}

/**
 * Implements holdfast undo: reverts the last restore. Returns the exit code if the user declines.
 */
export async function undo(context: CommandContext, flags: UndoFlags): Promise<number | undefined> {
  return withHost(context, flags, async (session) => {
    const host = await undefinedIfForbidden(
      session,
      flags.yes,
      session.management.getHost({}, { signal: context.abort.signal }),
    );
    const link = flags.index ?? "/core/document-index";
    const index = host?.indexes.find((candidate) => candidate.link === link);
    if (index && index.documents > 0n) {
      await context.printText(
        `${link} currently has ${formatCount(index.documents, "document")}, last changed ${context.formatTime(index.positionMicros)}. It will be replaced by the index from before the last restore. A second undo reverts this.`,
      );
      if (!(await confirm(context, "Undo the restore?", flags.yes))) return declined(context);
    }
    context.abort.signal.throwIfAborted();
    const operation = await runOperation(context, flags, session, {
      start: () => session.management.undoRestore({ indexLink: flags.index ?? "" }),
      afterCancel: {
        state: "The index is unchanged.",
        retry: "To undo the restore, run the same command again.",
      },
    });
    if (operation === undefined) return undefined;
    const result = resultOf(operation, RestoreResultSchema);
    const text = `Reverted the last restore of ${result.indexLink}. The index has ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")}, last changed ${context.formatTime(result.positionMicros)}.`;
    await context.printResult(RestoreResultSchema, result, () =>
      [text, ...warningsOf(result.warnings), "To revert this: holdfast undo"].join("\n"),
    );
    return undefined;
  });
}
