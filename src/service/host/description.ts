import type { IndexState, RestorableWindow } from "../../engine/engine.js";

/** How backups of one index to one destination went last. Times in microseconds since 1970, 0: never. */
export interface BackupRecord {
  indexLink: string;
  /** Without credentials; of automatic backups their directory, as a URI. */
  destination: string;
  lastSuccessMicros: number;
  /** Of the last good one: its name, the position up to which it has everything, what it wrote, its size, its time. */
  backupName: string;
  positionMicros: number;
  bytesWritten: number;
  sizeBytes: number;
  durationMicros: number;
  lastFailureMicros: number;
  /** Empty once one was good. */
  lastError: string;
  /** The times that a restore from the last good one can go to; absent where none was good. */
  window?: RestorableWindow;
}

/** Whether backups are as they should be. */
export interface BackupHealth {
  healthy: boolean;
  /** Why not, in words; empty where they are. */
  problem: string;
}

export interface HostDescription {
  id: string;
  version: string;
  startTimeMicros: number;
  dataDirectory: string;
  backupRoots: string[];
  autoBackupDirectory: string;
  /** Of the file system that the data directory lies on. */
  disk: { freeBytes: number; totalBytes: number };
  httpAddress: string;
  grpcAddress: string;
  /** Whether both ports speak TLS. */
  tls: boolean;
  indexes: (IndexState & {
    link: string;
    inMemory: boolean;
    /** What the last check of it found wrong. */ problem?: string;
  })[];
  /** The last backups, one for each index and destination. */
  backups: readonly BackupRecord[];
  backupHealth: BackupHealth;
  /** The maximum age of the newest successful backup; 0: no limit. */
  backupMaxAgeMicros: number;
}
