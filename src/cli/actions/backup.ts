import { readFileSync } from "node:fs";
import {
  BackupPlanKind,
  BackupResultSchema,
  Compression,
  Container,
  LockMode,
  type BackupDescription,
  type BackupPlan,
  type BackupResult,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { withHost } from "../connect/session.js";
import type { OperationFlags } from "../flags.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, formatCount, formatDuration } from "../output/format.js";
import { list } from "../output/table.js";
import { displayUri, toUri } from "../destination-uri.js";
import { readEncryption, type EncryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import { nowMicros, parseUntil } from "../time.js";
import { durationOf, warningsOf } from "../output/result.js";

/** Flags of holdfast backup. */
export interface BackupFlags extends OperationFlags, EncryptionFlags {
  type?: string;
  index?: string;
  store?: boolean;
  full?: boolean;
  verify: boolean;
  bearerFile?: string;
  compression?: string;
  lockUntil?: string;
  lockMode?: string;
  requestId?: string;
  dryRun?: boolean;
}

const containers: Record<string, Container> = {
  zip: Container.ZIP,
  directory: Container.DIRECTORY,
};

/** Implements holdfast backup. */
export async function backup(
  context: CommandContext,
  flags: BackupFlags,
  destination = "",
): Promise<void> {
  const uri = toUri(destination);
  const bearer = readBearer(flags.bearerFile);
  const lock = lockOf(flags);
  const encryption = await readEncryption(context, flags);
  await withHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      start: () =>
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
          ...lock,
          ...encryption,
          compression: compressions[flags.compression ?? ""] ?? Compression.UNSPECIFIED,
        }),
      afterCancel: {
        state: `No new backup was created at ${displayUri(uri)}; existing backups are unchanged.`,
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const result = resultOf(operation, BackupResultSchema);
    await context.printResult(BackupResultSchema, result, () =>
      result.plan
        ? planText(result.plan, result.warnings, uri)
        : resultText(context, operation, result, lock),
    );
  });
}

const compressions: Record<string, Compression> = {
  none: Compression.NONE,
  gzip: Compression.GZIP,
  zstd: Compression.ZSTD,
};

const lockModes: Record<string, LockMode> = {
  governance: LockMode.GOVERNANCE,
  compliance: LockMode.COMPLIANCE,
};

interface Lock {
  lockUntilMicros?: bigint;
  lockMode?: LockMode;
}

const lockName = (mode: LockMode | undefined) =>
  mode === LockMode.COMPLIANCE ? "compliance" : "governance";

function lockOf({ lockUntil, lockMode = "" }: BackupFlags): Lock {
  if (lockUntil === undefined) {
    if (lockMode === "") return {};
    throw new HostError("REQUEST_INVALID", "--lock-mode requires --lock-until.");
  }
  return {
    lockUntilMicros: parseUntil(lockUntil, nowMicros()),
    lockMode: lockModes[lockMode] ?? LockMode.UNSPECIFIED,
  };
}

/**
 * Reads the bearer token for an http(s) destination or source; returns "" if `file` is undefined.
 * Throws CONFIGURATION_INVALID if the file cannot be read, REQUEST_INVALID if it does not contain a
 * token.
 */
export function readBearer(file: string | undefined): string {
  if (file === undefined) return "";
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Cannot read ${file} (--bearer-file). Check the path and its permissions.`,
      { cause },
    );
  }
  if (!/^[!-~]+$/.test(token))
    throw new HostError(
      "REQUEST_INVALID",
      `Invalid token in ${file} (--bearer-file): the file must contain only the token.`,
    );
  return token;
}

const planKinds: Record<BackupPlanKind, string> = {
  [BackupPlanKind.UNSPECIFIED]: "unknown",
  [BackupPlanKind.UNCHANGED]: "only a manifest: no changes since the last backup",
  [BackupPlanKind.BASE]: "the whole index",
  [BackupPlanKind.DELTA]: "changes since the last backup",
};

function planText(plan: BackupPlan, warnings: readonly string[], uri: string): string {
  return [
    `Dry run, nothing was copied. A backup to ${displayUri(uri)} would copy:`,
    list([
      ["content", `${planKinds[plan.kind]}${plan.reason === "" ? "" : ` (${plan.reason})`}`],
      [
        "records",
        `${formatCount(plan.records, "record")}, about ${formatBytes(plan.estimatedBytes)} uncompressed`,
      ],
      ["free space", plan.freeBytes === undefined ? "unknown" : formatBytes(plan.freeBytes)],
      [
        "expected time",
        plan.expectedMicros === undefined
          ? "unknown: no earlier backup"
          : formatDuration(plan.expectedMicros),
      ],
      ["replaces", plan.replacedBackups.join(", ") || "nothing"],
    ]),
    // The first one states that nothing was written, as the first line does.
    ...warningsOf(warnings.slice(1)),
    ...(plan.freeBytes !== undefined && plan.freeBytes < plan.estimatedBytes
      ? [
          "Warning: the destination may not have enough free space. Free space, or use another destination.",
        ]
      : []),
  ].join("\n");
}

/** Segments of earlier backups were verified when they were written, and are not read again. */
function verifiedText({ verified, segmentsWritten, backup }: BackupResult): string {
  if (!verified) return "not read back";
  const older = (backup?.segments.length ?? 0) - segmentsWritten;
  return `all digests and rows of the new segments${older > 0 ? `; ${formatCount(older, "older segment")} not read` : ""}`;
}

function readersText({ encrypted, recipients }: BackupDescription): string {
  if (!encrypted) return "no";
  return recipients.length > 0 ? `to ${recipients.join(", ")}` : "with a passphrase";
}

/** Returns the option with which an encrypted backup is read. */
function keyOption({ encrypted, recipients }: BackupDescription): string {
  if (!encrypted) return "";
  return recipients.length > 0 ? " --identity FILE" : " --passphrase-file FILE";
}

function resultText(
  { formatTime }: CommandContext,
  operation: Operation,
  result: BackupResult,
  { lockUntilMicros, lockMode }: Lock,
): string {
  const { backup } = result;
  if (!backup) return "The request is valid. Nothing was copied.";
  const protection: [string, string][] = [];
  if (backup.encrypted || !backup.uri.startsWith("file:"))
    protection.push(["encrypted", readersText(backup)]);
  if (lockUntilMicros !== undefined)
    protection.push(["locked until", `${formatTime(lockUntilMicros)}, ${lockName(lockMode)}`]);
  return [
    `Backed up ${formatCount(backup.documents, "document")} with ${formatCount(backup.versions, "version")} to ${displayUri(backup.uri)} in ${formatDuration(durationOf(operation))}.`,
    list([
      ["backup", backup.name],
      [
        "written",
        `${formatBytes(result.bytesWritten)} in ${formatCount(result.segmentsWritten, "new segment")} and a manifest; all segments ${formatBytes(backup.sizeBytes)}`,
      ],
      ["verified", verifiedText(result)],
      ...protection,
      ["covers writes up to", formatTime(backup.positionMicros)],
      ["restorable from", formatTime(backup.window?.earliestMicros ?? 0n)],
    ]),
    ...warningsOf(result.warnings),
    `To verify it again: holdfast verify ${displayUri(backup.uri)}${keyOption(backup)}`,
  ].join("\n");
}
