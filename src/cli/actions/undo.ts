import { RestoreResultSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { confirm, declined } from "../confirm.js";
import { undefinedIfForbidden, withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { count, moment } from "../output/format.js";
import { warningsOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";

export interface UndoFlags extends OperationFlags {
  index?: string;
  yes?: boolean;
}

/** holdfast undo: goes back to the index as it was before the last restore. */
export async function undo(context: CommandContext, flags: UndoFlags): Promise<number | undefined> {
  return withHost(context, flags, async (session) => {
    const host = await undefinedIfForbidden(
      session,
      flags.yes,
      session.management.getHost({}, { signal: context.abort.signal }),
    );
    const link = flags.index ?? "/core/document-index";
    const index = host?.indexes.find((one) => one.link === link);
    if (index && index.documents > 0n) {
      await context.printText(
        `${link} has ${count(index.documents, "document")} now, last changed ${moment(index.positionMicros)}. The index before the last restore takes its place; undoing that brings this one back.`,
      );
      if (!(await confirm(context, "Undo the restore?", flags.yes))) return declined(context);
    }
    context.abort.signal.throwIfAborted();
    const operation = await runOperation(context, flags, session, {
      begin: () => session.management.undoRestore({ indexLink: flags.index ?? "" }),
      left: { state: "The index is as it was.", retry: "The same command undoes the restore." },
    });
    if (operation === undefined) return undefined;
    const result = resultOf(operation, RestoreResultSchema);
    const text = `${result.indexLink} has ${count(result.documents, "document")} with ${count(result.versions, "version")} again, as before the restore; the last change ${moment(result.positionMicros)}.`;
    await context.printResult(RestoreResultSchema, result, () =>
      [
        text,
        ...warningsOf(result.warnings),
        "Was it a mistake? holdfast undo undoes this too.",
      ].join("\n"),
    );
    return undefined;
  });
}
