import {
  CheckIndexResultSchema,
  type CheckIndexResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { outcomeOf, runOperation } from "../operation.js";
import { bytes, count, span } from "../output/figures.js";
import { durationOf } from "../output/outcome.js";
import type { Run } from "../run.js";

export interface CheckFlags extends OperationFlags {
  index?: string;
}

/** holdfast check: exits 65 where the index is damaged. */
export async function check(run: Run, flags: CheckFlags): Promise<void> {
  await withHost(run, flags, async (session) => {
    const operation = await runOperation(run, flags, session, {
      begin: () => session.management.checkIndex({ indexLink: flags.index ?? "" }),
      left: {
        now: "The index is as it was; how far it is good is not known.",
        again: "The same command checks it from its beginning.",
      },
    });
    if (operation === undefined) return;
    const result = outcomeOf(operation, CheckIndexResultSchema);
    await run.finish(CheckIndexResultSchema, result, () => resultText(operation, result));
  });
}

function resultText(operation: Operation, result: CheckIndexResult): string {
  return [
    `GOOD: ${result.indexLink}, ${count(result.documents, "document")} with ${count(result.versions, "version")}.`,
    `Read ${count(result.records, "record")}, ${bytes(result.bytes)}, in ${span(durationOf(operation))}.`,
    "Compared: each key index with the log, each version with its checksum, the counts.",
  ].join("\n");
}
