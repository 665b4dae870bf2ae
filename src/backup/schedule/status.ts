import type { HostError } from "../../errors.js";

/** How automatic backups of an index stand. */
export interface AutoBackupStatus {
  enabled: boolean;
  directory: string;
  indexLink: string;
  /** CURRENT: everything written is backed up. WAITING: a run is about to start. RETRYING: the last run failed. */
  state: "OFF" | "CURRENT" | "WAITING" | "RUNNING" | "RETRYING";
  failuresInARow: number;
  /** What the last backup had to say, for example of a manifest at the destination that cannot be read. */
  warnings: string[];
  lastSuccessMicros?: number;
  lastFailureMicros?: number;
  /** Why the last run failed; absent once one has not. */
  lastError?: HostError;
  /** Everything up to this position of the log is in the last backup. */
  positionMicros?: number;
  /** The files that the last backup needs. */
  files?: number;
  /** Backups of other histories and other indexes in the directory, which it does not remove. */
  otherBackups?: number;
}
