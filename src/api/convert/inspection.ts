import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  BackupPlanKind,
  DocumentChange,
  VerifyLevel,
  type BackupPlanSchema,
  type DocumentDifferenceSchema,
  type DocumentSelection as DocumentSelectionMessage,
  type IndexPointInTime as IndexPointInTimeMessage,
  type LogEntrySchema,
  type RestorePlanSchema,
  type SelectionResultSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { VerifyLevel as Level } from "../../backup/verification.js";
import type { LogEntry } from "../../engine/engine.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { BackupDryRunPlan } from "../../backup/backup-request.js";
import type {
  DocumentDifference,
  DocumentSelection,
  IndexPointInTime,
} from "../../backup/point-in-time.js";
import type { RestoreDryRunPlan, SelectionResult } from "../../backup/restore-request.js";
import { toBackup } from "./backup.js";
import { fromDecryption } from "./encryption.js";
import { toInt64 } from "./numbers.js";

/**
 * Converts the state of an index to inspect; the default is the current state of the durable index.
 */
export function fromPointInTime(message: IndexPointInTimeMessage | undefined): IndexPointInTime {
  if (!message) return { indexLink: durableIndexLink };
  const { uri, backupName, targetTimeMicros, indexLink, bearer, decryption } = message;
  return {
    indexLink: indexLink || durableIndexLink,
    ...(uri !== "" && { uri }),
    ...(backupName !== "" && { manifest: backupName }),
    ...(targetTimeMicros !== undefined && { targetTimeMicros }),
    ...(bearer !== "" && { bearer }),
    ...fromDecryption(decryption),
  };
}

/** Converts a selection of documents. */
export function fromSelection({
  prefixes,
  kinds,
  links,
}: DocumentSelectionMessage): DocumentSelection {
  return { prefixes, kinds, links };
}

/** Converts the difference of a document between two points in time. */
export function toDifference({
  link,
  change,
  kind,
  from,
  to,
}: DocumentDifference): MessageInitShape<typeof DocumentDifferenceSchema> {
  return {
    selfLink: link,
    change: DocumentChange[change],
    kind,
    ...(from && {
      fromVersion: toInt64(from.version),
      fromUpdateTimeMicros: toInt64(from.updateTimeMicros),
    }),
    ...(to && { toVersion: toInt64(to.version), toUpdateTimeMicros: toInt64(to.updateTimeMicros) }),
  };
}

/** Converts an entry of the index log. */
export function toLogEntry({
  timeMicros,
  link,
  version,
  action,
  kind,
}: LogEntry): MessageInitShape<typeof LogEntrySchema> {
  return {
    timeMicros: toInt64(timeMicros),
    selfLink: link,
    version: toInt64(version),
    action,
    kind,
  };
}

/** Converts the result of a partial restore. */
export function toSelectionResult({
  created,
  replaced,
  unchanged,
  deleted,
  kept,
  differences,
}: SelectionResult): MessageInitShape<typeof SelectionResultSchema> {
  return {
    created: toInt64(created),
    replaced: toInt64(replaced),
    unchanged: toInt64(unchanged),
    deleted: toInt64(deleted),
    kept: toInt64(kept),
    differences: differences.map(toDifference),
  };
}

/** Converts the dry-run plan of a backup. */
export function toBackupPlan({
  kind,
  reason,
  records,
  estimatedBytes,
  freeBytes,
  expectedMicros,
  replacedBackups,
}: BackupDryRunPlan): MessageInitShape<typeof BackupPlanSchema> {
  return {
    kind: BackupPlanKind[kind],
    reason,
    records: toInt64(records),
    estimatedBytes: toInt64(estimatedBytes),
    replacedBackups,
    ...(freeBytes !== undefined && { freeBytes: toInt64(freeBytes) }),
    ...(expectedMicros !== undefined && { expectedMicros: toInt64(expectedMicros) }),
  };
}

/** Converts the dry-run plan of a restore or an undo. */
export function toRestorePlan(plan: RestoreDryRunPlan): MessageInitShape<typeof RestorePlanSchema> {
  return {
    ...(plan.backup && { backup: toBackup(plan.backup) }),
    currentDocuments: toInt64(plan.currentDocuments),
    currentVersions: toInt64(plan.currentVersions),
    currentPositionMicros: toInt64(plan.currentPositionMicros),
    neededBytes: toInt64(plan.neededBytes),
    freeBytes: toInt64(plan.freeBytes),
    ...(plan.discardedVersions !== undefined && {
      discardedVersions: toInt64(plan.discardedVersions),
    }),
    ...(plan.expectedMicros !== undefined && { expectedMicros: toInt64(plan.expectedMicros) }),
  };
}

const levels: Record<VerifyLevel, Level> = {
  [VerifyLevel.UNSPECIFIED]: "FULL",
  [VerifyLevel.METADATA]: "METADATA",
  [VerifyLevel.SAMPLE]: "SAMPLE",
  [VerifyLevel.FULL]: "FULL",
  [VerifyLevel.TEST_RESTORE]: "TEST_RESTORE",
};

/** Converts a level of verification. Default: FULL. */
export const fromVerifyLevel = (level: VerifyLevel): Level => levels[level];
