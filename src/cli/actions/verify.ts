import {
  VerifyLevel,
  VerifyResultSchema,
  type VerifyResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { withFilesOrHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { outcomeOf, runOperation } from "../operation.js";
import { bytes, count, number, span } from "../output/figures.js";
import { durationOf } from "../output/outcome.js";
import { placeUri, showPlace } from "../place.js";
import type { Run } from "../run.js";

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
export async function verify(run: Run, flags: VerifyFlags, source = ""): Promise<void> {
  const uri = placeUri(source);
  const samplePercent = percentOf(flags);
  await withFilesOrHost(run, flags, async (session) => {
    const operation = await runOperation(run, flags, session, {
      begin: () =>
        session.management.verifyBackup({
          uri,
          backupName: flags.backup ?? "",
          level: levels[flags.level ?? "full"] ?? VerifyLevel.FULL,
          samplePercent,
        }),
      left: {
        now: "The backup is as it was; how far it is good is not known.",
        again: "The same command checks it from its beginning.",
      },
    });
    if (operation === undefined) return;
    const result = outcomeOf(operation, VerifyResultSchema);
    await run.finish(VerifyResultSchema, result, () =>
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
      ? `: ${number(Math.round(Number(result.records) / seconds))} records/s, ${(Number(result.bytes) / seconds / 1e6).toFixed(1)} MB/s`
      : "";
  return [
    `GOOD: ${showPlace(result.backup?.uri ?? uri)}, ${result.backup?.name ?? "the newest backup"}.`,
    `Read ${count(result.records, "record")}, ${bytes(result.bytes)}, in ${span(micros)}${rate}.`,
    `Compared: ${compared[level] ?? level}.`,
    ...(result.documents > 0n
      ? [
          `The trial has ${count(result.documents, "document")} with ${count(result.versions, "version")}.`,
        ]
      : []),
  ].join("\n");
}
