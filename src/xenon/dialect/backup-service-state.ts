import { limits } from "../../limits.js";
import type { AutoBackupStatus } from "../../backup/schedule/status.js";
import type { OperationKind, OperationService, OperationView } from "../../operation/operation.js";
import { autoBackupState } from "./host-state.js";

/**
 * Renders the response to GET of a backup service, which is empty in Xenon: the state of the last
 * backup and restore of its index.
 */
export function backupServiceText(
  link: string,
  indexLink: string,
  operations: OperationService,
  autoBackup: AutoBackupStatus,
): string {
  const all = operations
    .list(limits.operations)
    .operations.filter((view) => view.indexLink === indexLink);
  const last = (kind: OperationKind, matches: (view: OperationView) => boolean) => {
    const view = all.find((one) => one.kind === kind && matches(one));
    return view === undefined ? undefined : operationState(view);
  };
  return JSON.stringify({
    indexServiceLink: indexLink,
    runningBackup: last("backup", ({ done }) => !done),
    lastBackup: last("backup", ({ done }) => done),
    lastSuccessfulBackup: last("backup", ({ done, error }) => done && error === undefined),
    runningRestore: last("restore", ({ done }) => !done),
    lastRestore: last("restore", ({ done }) => done),
    lastSuccessfulRestore: last("restore", ({ done, error }) => done && error === undefined),
    autoBackup: autoBackup.indexLink === indexLink ? autoBackupState(autoBackup) : undefined,
    documentVersion: 0,
    documentKind: "holdfast:BackupServiceState",
    documentSelfLink: link,
    documentUpdateTimeMicros: Math.max(
      0,
      ...all.map(({ startTimeMicros, endTimeMicros }) => endTimeMicros ?? startTimeMicros),
    ),
    documentExpirationTimeMicros: 0,
  });
}

function operationState({
  name,
  target,
  done,
  startTimeMicros,
  endTimeMicros,
  progress,
  result,
  error,
}: OperationView) {
  const backup = result && "backup" in result ? result.backup : undefined;
  return {
    operation: name,
    outcome: !done ? undefined : error ? "FAILED" : "SUCCEEDED",
    destination: target,
    startTimeMicros,
    endTimeMicros,
    stage: progress.stage,
    warnings: progress.warnings,
    backupName: backup?.name,
    sizeBytes: backup?.sizeBytes,
    documentCount:
      backup?.documents ?? (result && "documents" in result ? result.documents : undefined),
    message: error?.message,
    reason: error?.reason,
  };
}
