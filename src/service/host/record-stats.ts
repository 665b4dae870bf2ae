import type { AutoBackupRun } from "../../backup/schedule/auto-backup.js";
import type { OperationView } from "../../operation/operation.js";
import type { Stats } from "../../stats/stats.js";

/** Records an ended operation in the statistics. */
export function recordOperation(
  stats: Stats,
  { kind, error, result, startTimeMicros, endTimeMicros, progress }: OperationView,
): void {
  if ((kind !== "backup" && kind !== "restore") || endTimeMicros === undefined) return;
  if (error) {
    stats.count(`${kind}FailedCount`);
    stats.set(`${kind}LastFailureMicros`, endTimeMicros);
    return;
  }
  stats.count(`${kind}Count`);
  stats.measure(`${kind}DurationMicros`, endTimeMicros - startTimeMicros);
  stats.set(`${kind}LastSuccessMicros`, endTimeMicros);
  if (result && "bytesWritten" in result) stats.measure("backupBytes", result.bytesWritten);
  // Bytes read from the backup.
  if (kind === "restore") stats.measure("restoreBytes", progress.bytesDone);
}

/** Records a performed, failed or skipped automatic backup in the statistics. */
export function recordAutoBackup(stats: Stats, run: AutoBackupRun, nowMicros: number): void {
  switch (run.outcome) {
    case "skipped":
      return stats.count("autoBackupSkippedCount");
    case "failed":
      stats.count("autoBackupFailedCount");
      return stats.set("autoBackupLastFailureMicros", nowMicros);
    case "performed":
      stats.count("autoBackupPerformedCount");
      stats.measure("autoBackupBytes", run.bytesWritten);
      stats.measure("autoBackupDurationMicros", run.micros);
      stats.set("autoBackupLastSuccessMicros", nowMicros);
  }
}
