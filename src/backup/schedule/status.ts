import type { HostError } from "../../errors.js";

/** Status of the automatic backups of an index. */
export interface AutoBackupStatus {
  enabled: boolean;
  /** URI without credentials. */
  destination: string;
  indexLink: string;
  /** CURRENT: every write is backed up. WAITING: a run starts soon. RETRYING: the last run failed. */
  state: "OFF" | "CURRENT" | "WAITING" | "RUNNING" | "RETRYING";
  failuresInARow: number;
  /** Warnings of the last backup, for example about a manifest at the destination that cannot be read. */
  warnings: string[];
  lastSuccessMicros?: number;
  lastFailureMicros?: number;
  /** Why the last run failed; absent after a success. */
  lastError?: HostError;
  /** The last backup covers writes up to this position. */
  positionMicros?: number;
  /** Number of files of the last backup. */
  files?: number;
  /** Number of backups of other histories and other indexes at the destination, which automatic backups never remove. */
  otherBackups?: number;
}
