import {
  CheckIndexResultSchema,
  type CheckIndexResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, formatCount, formatDuration } from "../output/format.js";
import { durationOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";

/** Flags of holdfast check. */
export interface CheckFlags extends OperationFlags {
  index?: string;
}

/** Implements holdfast check; the command exits with 65 if the index is damaged. */
export async function check(context: CommandContext, flags: CheckFlags): Promise<void> {
  await withHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      start: () => session.management.checkIndex({ indexLink: flags.index ?? "" }),
      afterCancel: {
        state: "The check is incomplete; the index is unchanged.",
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, CheckIndexResultSchema);
    await context.printResult(CheckIndexResultSchema, result, () => resultText(operation, result));
  });
}

function resultText(operation: Operation, result: CheckIndexResult): string {
  return [
    `OK: ${result.indexLink}, ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")}.`,
    `Read ${formatCount(result.records, "record")}, ${formatBytes(result.bytes)}, in ${formatDuration(durationOf(operation))}.`,
    "Checked: key indexes against the log, the checksum of every version, the counts.",
  ].join("\n");
}
