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
import { formatBytes, count, formatNumber, formatDuration } from "../output/format.js";
import { durationOf } from "../output/result.js";
import { toUri, displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";

export interface VerifyFlags extends OperationFlags {
  backup?: string;
  level?: string;
  percent?: string;
}

const levels: Record<string, VerifyLevel> = {
  list: VerifyLevel.LIST,
  sample: VerifyLevel.SAMPLE,
  full: VerifyLevel.FULL,
  trial: VerifyLevel.TRIAL,
};

/** holdfast verify: exits 65 where something is not as it was written. */
export async function verify(
  context: CommandContext,
  flags: VerifyFlags,
  source = "",
): Promise<void> {
  const uri = toUri(source);
  const samplePercent = percentOf(flags);
  await withFilesOrHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      begin: () =>
        session.management.verifyBackup({
          uri,
          backupName: flags.backup ?? "",
          level: levels[flags.level ?? "full"] ?? VerifyLevel.FULL,
          samplePercent,
        }),
      left: {
        state: "The backup is as it was; how far it is good is not known.",
        retry: "The same command checks it from its beginning.",
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
    throw new HostError("REQUEST_INVALID", "--percent goes with --level sample.");
  const value = Number(percent);
  if (!/^\d{1,3}$/.test(percent) || value < 1 || value > 100)
    throw new HostError("REQUEST_INVALID", "--percent takes a whole number from 1 to 100.");
  return value;
}

const compared: Record<string, string> = {
  list: "the manifest, and that its files are there with their sizes; nothing in them was read",
  sample: "some rows of every segment with their checksums",
  full: "the digest of every file, every row with its checksum, the counts and the chain",
  trial:
    "what full compares, and what a restore into an index that was thrown away gave with what the manifest promises",
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
    `GOOD: ${displayUri(result.backup?.uri ?? uri)}, ${result.backup?.name ?? "the newest backup"}.`,
    `Read ${count(result.records, "record")}, ${formatBytes(result.bytes)}, in ${formatDuration(micros)}${rate}.`,
    `Compared: ${compared[level] ?? level}.`,
    ...(result.documents > 0n
      ? [
          `The trial has ${count(result.documents, "document")} with ${count(result.versions, "version")}.`,
        ]
      : []),
  ].join("\n");
}
