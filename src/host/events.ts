import { EventEmitter } from "node:events";
import type { AutoBackupRun } from "../backup/schedule/auto-backup.js";
import type { BackupHealth } from "../service/host/description.js";
import type { OperationView } from "../operation/operation.js";

interface HostEventMap {
  /** Documents of the index with this link were written, or it was switched. */
  committed: [indexLink: string];
  /** An operation ended: it succeeded, failed or was cancelled. */
  operationEnded: [OperationView];
  /** A run of automatic backups succeeded or failed. */
  autoBackupRan: [Exclude<AutoBackupRun, { outcome: "skipped" }>];
  /** Why automatic backups fail; undefined if they do not. */
  autoBackupProblem: [string | undefined];
  /** Backups became healthy or unhealthy. */
  backupHealthChanged: [BackupHealth];
}

/** Events by which a stage of the host reports to later stages. Listeners must not throw. */
export type HostEvents = EventEmitter<HostEventMap>;

export function createHostEvents(): HostEvents {
  return new EventEmitter<HostEventMap>();
}
