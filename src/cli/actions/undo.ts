import { RestoreResultSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { confirm, declined } from "../confirm.js";
import { unlessForbidden, withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { outcomeOf, runOperation } from "../operation.js";
import { count, moment } from "../output/figures.js";
import { warningsOf } from "../output/outcome.js";
import type { Run } from "../run.js";

export interface UndoFlags extends OperationFlags {
  index?: string;
  yes?: boolean;
}

/** holdfast undo: goes back to the index as it was before the last restore. */
export async function undo(run: Run, flags: UndoFlags): Promise<number | undefined> {
  return withHost(run, flags, async (session) => {
    const host = await unlessForbidden(
      session,
      flags.yes,
      session.management.getHost({}, { signal: run.stops.signal }),
    );
    const link = flags.index ?? "/core/document-index";
    const index = host?.indexes.find((one) => one.link === link);
    if (index && index.documents > 0n) {
      await run.say(
        `${link} has ${count(index.documents, "document")} now, last changed ${moment(index.positionMicros)}. The index before the last restore takes its place; undoing that brings this one back.`,
      );
      if (!(await confirm(run, "Undo the restore?", flags.yes))) return declined(run);
    }
    run.stops.signal.throwIfAborted();
    const operation = await runOperation(run, flags, session, {
      begin: () => session.management.undoRestore({ indexLink: flags.index ?? "" }),
      left: { now: "The index is as it was.", again: "The same command undoes the restore." },
    });
    if (operation === undefined) return undefined;
    const result = outcomeOf(operation, RestoreResultSchema);
    const text = `${result.indexLink} has ${count(result.documents, "document")} with ${count(result.versions, "version")} again, as before the restore; the last change ${moment(result.positionMicros)}.`;
    await run.finish(RestoreResultSchema, result, () =>
      [
        text,
        ...warningsOf(result.warnings),
        "Was it a mistake? holdfast undo undoes this too.",
      ].join("\n"),
    );
    return undefined;
  });
}
