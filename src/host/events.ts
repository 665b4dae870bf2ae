import { EventEmitter } from "node:events";
import type { AutoBackupRun } from "../backup/schedule/auto-backup.js";
import type { BackupHealth } from "../service/host/description.js";
import type { OperationView } from "../operation/operation.js";

interface HostEventMap {
  /** Documents of the durable index were written. */
  committed: [];
  /** An operation has ended, in whatever way. */
  operationEnded: [OperationView];
  /** An automatic backup was made, or failed. */
  autoBackupRan: [Exclude<AutoBackupRun, { outcome: "skipped" }>];
  /** Why automatic backups fail; undefined if they do not. */
  autoBackupProblem: [string | undefined];
  /** Backups have become healthy or unhealthy. */
  backupHealthChanged: [BackupHealth];
}

/** What stages of a host report to stages that are started after them. Listeners must not throw. */
export type HostEvents = EventEmitter<HostEventMap>;

export function createHostEvents(): HostEvents {
  return new EventEmitter<HostEventMap>();
}
