import {
  VerifyLevel,
  VerifyResultSchema,
  type VerifyResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { withFilesOrHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, formatCount, formatNumber, formatDuration } from "../output/format.js";
import { durationOf, warningsOf } from "../output/result.js";
import { displayUri, toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";

/** Flags of holdfast verify. */
export interface VerifyFlags extends OperationFlags, DecryptionFlags {
  backup?: string;
  level?: string;
  percent?: string;
  compare?: boolean;
}

const levels: Record<string, VerifyLevel> = {
  metadata: VerifyLevel.METADATA,
  sample: VerifyLevel.SAMPLE,
  full: VerifyLevel.FULL,
  "test-restore": VerifyLevel.TEST_RESTORE,
};

/** Implements holdfast verify; the command exits with 65 if the backup is damaged. */
export async function verify(
  context: CommandContext,
  flags: VerifyFlags,
  source = "",
): Promise<void> {
  const uri = toUri(source);
  const samplePercent = percentOf(flags);
  if (flags.compare && flags.level !== "test-restore")
    throw new HostError("REQUEST_INVALID", "--compare requires --level test-restore.");
  const decryption = await readDecryption(context, flags);
  await withFilesOrHost(context, flags, async (session) => {
    if (flags.compare && session.offline)
      throw new HostError(
        "REQUEST_INVALID",
        "--compare requires a host with the live index. Name it with --address HOST:PORT.",
      );
    const operation = await runOperation(context, flags, session, {
      start: () =>
        session.management.verifyBackup({
          uri,
          backupName: flags.backup ?? "",
          level: levels[flags.level ?? "full"] ?? VerifyLevel.FULL,
          samplePercent,
          compare: flags.compare ?? false,
          ...decryption,
        }),
      afterCancel: {
        state: "The verification is incomplete; the backup is unchanged.",
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, VerifyResultSchema);
    await context.printResult(VerifyResultSchema, result, () =>
      resultText(operation, result, uri, flags.level ?? "full"),
    );
  });
}

function percentOf({ level, percent }: VerifyFlags): number {
  if (percent === undefined) return 0;
  if (level !== "sample")
    throw new HostError("REQUEST_INVALID", "--percent requires --level sample.");
  const value = Number(percent);
  if (!/^\d{1,3}$/.test(percent) || value < 1 || value > 100)
    throw new HostError("REQUEST_INVALID", "--percent must be a whole number from 1 to 100.");
  return value;
}

const verifiedItems: Record<string, string> = {
  metadata: "the manifest, and the existence and size of its files; their content was not read",
  sample: "the checksums of some rows of every segment",
  full: "the digest of every file, the checksum of every row, the counts and the chain",
  "test-restore":
    "everything of level full, and the counts of a test restore to a temporary index against the manifest",
};

function resultText(
  operation: Operation,
  result: VerifyResult,
  uri: string,
  level: string,
): string {
  const micros = durationOf(operation);
  const seconds = Number(micros) / 1e6;
  const rate =
    seconds > 0 && result.records > 0n
      ? `: ${formatNumber(Math.round(Number(result.records) / seconds))} records/s, ${(Number(result.bytes) / seconds / 1e6).toFixed(1)} MB/s`
      : "";
  return [
    ...warningsOf(result.warnings),
    `OK: ${displayUri(result.backup?.uri ?? uri)}, ${result.backup?.name ?? "the newest backup"}.`,
    `Read ${formatCount(result.records, "record")}, ${formatBytes(result.bytes)}, in ${formatDuration(micros)}${rate}.`,
    `Verified: ${verifiedItems[level] ?? level}.`,
    ...(result.documents > 0n
      ? [
          `The test restore has ${formatCount(result.documents, "document")} with ${formatCount(result.versions, "version")}.`,
        ]
      : []),
    ...(result.compared
      ? ["Each document equals that of the live index at the time of the backup."]
      : []),
  ].join("\n");
}
