import {
  VerifyLevel,
  VerifyResultSchema,
  type VerifyResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { withFilesOrHost } from "../connect/session.js";
import { displayUri, toUri } from "../destination-uri.js";
import type { OperationFlags } from "../flags.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import { resultOf, runOperation } from "../operation.js";
import { formatCount, formatDuration } from "../output/format.js";
import { warningsOf } from "../output/result.js";

/** Flags of holdfast test-restore. */
export interface TestRestoreFlags extends OperationFlags, DecryptionFlags {
  backup?: string;
}

/** Implements holdfast test-restore; the command exits with 65 if the backup is damaged. */
export async function testRestore(
  context: CommandContext,
  flags: TestRestoreFlags,
  source = "",
): Promise<void> {
  const uri = toUri(source);
  const decryption = await readDecryption(context, flags);
  await withFilesOrHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      start: () =>
        session.management.verifyBackup({
          uri,
          backupName: flags.backup ?? "",
          level: VerifyLevel.TEST_RESTORE,
          compare: !session.offline,
          ...decryption,
        }),
      afterCancel: {
        state: "The test restore is incomplete; the backup and the index are unchanged.",
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, VerifyResultSchema);
    await context.printResult(VerifyResultSchema, result, () => resultText(result, uri));
  });
}

function resultText(result: VerifyResult, uri: string): string {
  return [
    ...warningsOf(result.warnings),
    `OK: ${displayUri(result.backup?.uri ?? uri)}, ${result.backup?.name ?? "the newest backup"}.`,
    `Restored ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")} to a temporary index in ${formatDuration(result.restoreMicros)}.`,
    result.compared
      ? "Compared each document with the live index at the time of the backup: all are equal."
      : "Compared the counts with the manifest, and no document with a live index.",
  ].join("\n");
}
