import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  OperationSchema,
  type Operation,
} from "../../../gen/ts/google/longrunning/operations_pb.js";
import type { Status } from "../../../gen/ts/google/rpc/status_pb.js";
import {
  BackupResultSchema,
  CheckIndexResultSchema,
  CopyBackupResultSchema,
  OperationKind as KindEnum,
  OpenedIndexSchema,
  OperationMetadataSchema,
  RestoreResultSchema,
  VerifyLevel,
  VerifyResultSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { HostError } from "../../errors.js";
import type { BackupResult } from "../../backup/backup-request.js";
import type { OpenedDescription } from "../../backup/opened-description.js";
import type { CopyResult } from "../../backup/copy.js";
import type {
  CheckIndexResult,
  OperationKind,
  OperationOutcome,
  OperationView,
} from "../../operation/operation.js";
import type { RestoreResult } from "../../backup/restore-request.js";
import type { VerifyResult } from "../../backup/verification.js";
import { onlyValidated } from "../../service/backups/start-backup.js";
import { toBackup, toOpenedIndex } from "./backup.js";
import { toBackupPlan, toRestorePlan, toSelectionResult } from "./inspection.js";
import { optionalToInt64, toInt64 } from "./numbers.js";

const kinds: Record<OperationKind, KindEnum> = {
  backup: KindEnum.BACKUP,
  restore: KindEnum.RESTORE,
  "undo-restore": KindEnum.UNDO_RESTORE,
  "verify-backup": KindEnum.VERIFY_BACKUP,
  "check-index": KindEnum.CHECK_INDEX,
  "copy-backup": KindEnum.COPY_BACKUP,
  "open-backup": KindEnum.OPEN_BACKUP,
};

/** Functions needed to convert operations. */
export interface OperationConversion {
  /** Converts an error to google.rpc.Status. */
  statusOf: (error: HostError) => Status;
  /** Current time in microseconds since 1970. */
  nowMicros: () => number;
}

/** Converts an operation with its metadata and result. */
export function toOperation(
  view: OperationView,
  { statusOf, nowMicros }: OperationConversion,
): Operation {
  return create(OperationSchema, {
    name: view.name,
    done: view.done,
    metadata: pack(OperationMetadataSchema, metadataOf(view, nowMicros())),
    result: resultOf(view, statusOf),
  });
}

function metadataOf(
  view: OperationView,
  nowMicros: number,
): MessageInitShape<typeof OperationMetadataSchema> {
  const { progress } = view;
  const elapsedMicros = Math.max(1, (view.endTimeMicros ?? nowMicros) - view.startTimeMicros);
  const bytesPerSecond = (progress.bytesDone / elapsedMicros) * 1e6;
  const remainingBytes = progress.bytesTotal - progress.bytesDone;
  const remainingMicros =
    !view.done && remainingBytes > 0 && bytesPerSecond > 0
      ? Math.round((remainingBytes / bytesPerSecond) * 1e6)
      : undefined;
  return {
    kind: kinds[view.kind],
    indexLink: view.indexLink,
    target: view.target,
    policy: view.policy ?? "",
    startTimeMicros: toInt64(view.startTimeMicros),
    endTimeMicros: optionalToInt64(view.endTimeMicros),
    stage: progress.stage,
    bytesDone: toInt64(progress.bytesDone),
    bytesTotal: toInt64(progress.bytesTotal),
    documentsDone: toInt64(progress.documentsDone),
    documentsTotal: toInt64(progress.documentsTotal),
    bytesPerSecond,
    remainingMicros: optionalToInt64(remainingMicros),
    warnings: progress.warnings,
  };
}

function resultOf(
  { done, error, result, kind }: OperationView,
  statusOf: (error: HostError) => Status,
): Operation["result"] {
  if (!done) return { case: undefined };
  if (error) return { case: "error", value: statusOf(error) };
  // A validate-only operation is done without a result.
  return result ? { case: "response", value: outcomeOf(kind, result) } : { case: undefined };
}

function outcomeOf(kind: OperationKind, outcome: OperationOutcome) {
  switch (kind) {
    case "backup":
      return pack(BackupResultSchema, toBackupResult(outcome as BackupResult));
    case "restore":
    case "undo-restore":
      return pack(RestoreResultSchema, toRestoreResult(outcome as RestoreResult));
    case "verify-backup":
      return pack(VerifyResultSchema, toVerifyResult(outcome as VerifyResult));
    case "check-index":
      return pack(CheckIndexResultSchema, toCheckIndexResult(outcome as CheckIndexResult));
    case "copy-backup":
      return pack(CopyBackupResultSchema, toCopyResult(outcome as CopyResult));
    case "open-backup":
      return pack(OpenedIndexSchema, toOpenedIndex(outcome as OpenedDescription));
  }
}

function toBackupResult(result: BackupResult): MessageInitShape<typeof BackupResultSchema> {
  return {
    backup: toBackup(result.backup),
    bytesWritten: toInt64(result.bytesWritten),
    segmentsWritten: result.segmentsWritten,
    verified: result.verified,
    warnings: result.warnings,
    ...(result.plan && { plan: toBackupPlan(result.plan) }),
  };
}

/** Converts the result of a restore. */
export function toRestoreResult(
  result: RestoreResult,
): MessageInitShape<typeof RestoreResultSchema> {
  return {
    indexLink: result.indexLink,
    lineage: result.lineage,
    documents: toInt64(result.documents),
    versions: toInt64(result.versions),
    positionMicros: toInt64(result.positionMicros),
    targetTimeMicros: optionalToInt64(result.targetTimeMicros),
    warnings: result.warnings,
    validateOnly: result.warnings.includes(onlyValidated),
    ...(result.selection && { selection: toSelectionResult(result.selection) }),
    ...(result.plan && { plan: toRestorePlan(result.plan) }),
  };
}

function toVerifyResult({
  backup,
  level,
  records,
  bytes,
  documents = 0,
  versions = 0,
  warnings,
  compared = false,
  restoreMicros = 0,
}: VerifyResult): MessageInitShape<typeof VerifyResultSchema> {
  return {
    backup: toBackup(backup),
    level: VerifyLevel[level],
    records: toInt64(records),
    bytes: toInt64(bytes),
    documents: toInt64(documents),
    versions: toInt64(versions),
    warnings,
    compared,
    restoreMicros: toInt64(restoreMicros),
  };
}

function toCheckIndexResult({
  indexLink,
  records,
  bytes,
  documents,
  versions,
}: CheckIndexResult): MessageInitShape<typeof CheckIndexResultSchema> {
  return {
    indexLink,
    records: toInt64(records),
    bytes: toInt64(bytes),
    documents: toInt64(documents),
    versions: toInt64(versions),
  };
}

function toCopyResult({
  backup,
  bytesWritten,
  segmentsWritten,
  warnings,
  copiedBackups,
}: CopyResult): MessageInitShape<typeof CopyBackupResultSchema> {
  return {
    backup: toBackup(backup),
    bytesWritten: toInt64(bytesWritten),
    segmentsWritten,
    warnings,
    copiedBackups,
  };
}

function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return anyPack(schema, create(schema, init));
}
