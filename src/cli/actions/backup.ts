import { readFileSync } from "node:fs";
import {
  BackupPlanKind,
  BackupResultSchema,
  Container,
  type BackupPlan,
  type BackupResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, count, moment, formatDuration } from "../output/format.js";
import { list } from "../output/table.js";
import { toUri, displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import { durationOf, warningsOf } from "../output/result.js";

export interface BackupFlags extends OperationFlags {
  type?: string;
  index?: string;
  store?: boolean;
  full?: boolean;
  verify: boolean;
  bearerFile?: string;
  requestId?: string;
  dryRun?: boolean;
}

const containers: Record<string, Container> = {
  zip: Container.ZIP,
  directory: Container.DIRECTORY,
};

/** holdfast backup. */
export async function backup(
  context: CommandContext,
  flags: BackupFlags,
  destination = "",
): Promise<void> {
  const uri = toUri(destination);
  const bearer = readBearer(flags.bearerFile);
  await withHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      begin: () =>
        session.management.backup({
          destination: uri,
          container: containers[flags.type ?? ""] ?? Container.UNSPECIFIED,
          indexLink: flags.index ?? "",
          store: flags.store ?? false,
          full: flags.full ?? false,
          requestId: flags.requestId ?? "",
          validateOnly: flags.dryRun ?? false,
          bearer,
          ...(!flags.verify && { verify: false }),
        }),
      left: {
        state: `No new backup is at ${displayUri(uri)}; older ones are as they were.`,
        retry: "The same command makes it.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, BackupResultSchema);
    await context.printResult(BackupResultSchema, result, () =>
      result.plan ? planText(result.plan, uri) : resultText(operation, result),
    );
  });
}

/** The token for an http(s) destination or source; REQUEST_INVALID where the file has none. */
export function readBearer(file: string | undefined): string {
  if (file === undefined) return "";
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The file of --bearer-file, ${file}, cannot be read.`,
      { cause },
    );
  }
  if (!/^[!-~]+$/.test(token))
    throw new HostError(
      "REQUEST_INVALID",
      `The file of --bearer-file, ${file}, must hold a token alone.`,
    );
  return token;
}

const planKinds: Record<BackupPlanKind, string> = {
  [BackupPlanKind.UNSPECIFIED]: "not told",
  [BackupPlanKind.UNCHANGED]: "a manifest alone: nothing has changed",
  [BackupPlanKind.BASE]: "everything",
  [BackupPlanKind.DELTA]: "what has changed",
};

function planText(plan: BackupPlan, uri: string): string {
  return [
    `Nothing was done. A backup to ${displayUri(uri)} would copy:`,
    list([
      ["what", `${planKinds[plan.kind]}${plan.reason === "" ? "" : ` (${plan.reason})`}`],
      [
        "records",
        `${count(plan.records, "record")}, about ${formatBytes(plan.estimatedBytes)} before packing`,
      ],
      ["free there", plan.freeBytes === undefined ? "not known" : formatBytes(plan.freeBytes)],
      [
        "takes about",
        plan.expectedMicros === undefined
          ? "not known: no backup was made yet"
          : formatDuration(plan.expectedMicros),
      ],
      ["replaces", plan.replacedBackups.join(", ") || "nothing"],
    ]),
    ...(plan.freeBytes !== undefined && plan.freeBytes < plan.estimatedBytes
      ? ["Warning: there may not be room for it. Free space, or name another place."]
      : []),
  ].join("\n");
}

/** What a backup built on was read back when it was made, and by verify. */
function checkedText({ verified, segmentsWritten, backup }: BackupResult): string {
  if (!verified) return "not read back";
  const older = (backup?.segments.length ?? 0) - segmentsWritten;
  return `read back, every digest and row of what is new${older > 0 ? `; not the ${count(older, "older segment")}` : ""}`;
}

function resultText(operation: Operation, result: BackupResult): string {
  const { backup } = result;
  if (!backup) return "Nothing was done. The request is good.";
  return [
    `Backed up ${count(backup.documents, "document")} with ${count(backup.versions, "version")} to ${displayUri(backup.uri)} in ${formatDuration(durationOf(operation))}.`,
    list([
      ["backup", backup.name],
      [
        "written",
        `${formatBytes(result.bytesWritten)} in ${count(result.segmentsWritten, "new segment")}; ${formatBytes(backup.sizeBytes)} in all`,
      ],
      ["checked", checkedText(result)],
      ["holds all until", moment(backup.positionMicros)],
      ["restorable from", moment(backup.window?.earliestMicros ?? 0n)],
    ]),
    ...warningsOf(result.warnings),
    `Check it at any time: holdfast verify ${displayUri(backup.uri)}`,
  ].join("\n");
}
