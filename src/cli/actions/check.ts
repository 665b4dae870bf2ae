import {
  CheckIndexResultSchema,
  type CheckIndexResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, count, formatDuration } from "../output/format.js";
import { durationOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";

export interface CheckFlags extends OperationFlags {
  index?: string;
}

/** holdfast check: exits 65 where the index is damaged. */
export async function check(context: CommandContext, flags: CheckFlags): Promise<void> {
  await withHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      begin: () => session.management.checkIndex({ indexLink: flags.index ?? "" }),
      left: {
        state: "The index is as it was; how far it is good is not known.",
        retry: "The same command checks it from its beginning.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, CheckIndexResultSchema);
    await context.printResult(CheckIndexResultSchema, result, () => resultText(operation, result));
  });
}

function resultText(operation: Operation, result: CheckIndexResult): string {
  return [
    `GOOD: ${result.indexLink}, ${count(result.documents, "document")} with ${count(result.versions, "version")}.`,
    `Read ${count(result.records, "record")}, ${formatBytes(result.bytes)}, in ${formatDuration(durationOf(operation))}.`,
    "Compared: each key index with the log, each version with its checksum, the counts.",
  ].join("\n");
}
