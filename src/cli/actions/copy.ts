import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import {
  CopyBackupResultSchema,
  type CopyBackupResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { withFilesOrHost } from "../connect/session.js";
import { displayUri, toUri } from "../destination-uri.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, formatCount, formatDuration } from "../output/format.js";
import { durationOf, warningsOf } from "../output/result.js";
import { list } from "../output/table.js";

/** Flags of holdfast copy. */
export interface CopyFlags extends OperationFlags {
  backup?: string;
  requestId?: string;
  catchUp?: boolean;
}

/** Implements holdfast copy. */
export async function copy(
  context: CommandContext,
  flags: CopyFlags,
  source = "",
  destination = "",
): Promise<void> {
  const request = {
    source: toUri(source),
    destination: toUri(destination),
    backupName: flags.backup ?? "",
    requestId: flags.requestId ?? "",
    catchUp: flags.catchUp ?? false,
  };
  await withFilesOrHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      start: () => session.management.copyBackup(request),
      afterCancel: {
        state: `No new backup was created at ${displayUri(request.destination)}; existing backups are unchanged.`,
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, CopyBackupResultSchema);
    await context.printResult(CopyBackupResultSchema, result, () =>
      resultText(context, operation, result, request.destination),
    );
  });
}

function resultText(
  { formatTime }: CommandContext,
  operation: Operation,
  { backup, bytesWritten, segmentsWritten, warnings, copiedBackups }: CopyBackupResult,
  destination: string,
): string {
  const uri = displayUri(backup?.uri ?? destination);
  const present = (backup?.segments.length ?? 0) - segmentsWritten;
  const earlier = copiedBackups.length - 1;
  return [
    `Copied ${backup?.name ?? "the backup"}${earlier > 0 ? ` and ${formatCount(earlier, "earlier backup")}` : ""} with ${formatCount(backup?.documents ?? 0n, "document")} to ${uri} in ${formatDuration(durationOf(operation))}.`,
    list([
      [
        "written",
        `${formatBytes(bytesWritten)} in ${formatCount(segmentsWritten, "new segment")}${present > 0 ? `; ${formatCount(present, "segment")} already present` : ""}`,
      ],
      ["covers writes up to", formatTime(backup?.positionMicros ?? 0n)],
      ["restorable from", formatTime(backup?.window?.earliestMicros ?? 0n)],
    ]),
    ...warningsOf(warnings),
    `To verify it again: holdfast verify ${uri}`,
  ].join("\n");
}
