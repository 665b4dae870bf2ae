import type { OpenedDescription } from "../../backup/opened-description.js";
import type { Verification } from "../../backup/verification.js";
import type { FactoryDescription } from "../documents/document-service.js";
import type { DatabaseStatus, IndexState, Member, RestorableWindow } from "../../engine/engine.js";

/** Outcome of the last backups of one index to one destination. Times in microseconds since 1970, 0: never. */
export interface BackupRecord {
  indexLink: string;
  /** URI without credentials. */
  destination: string;
  lastSuccessMicros: number;
  /** Of the last successful backup: its name, the position up to which it covers writes, bytes written, size, duration. */
  backupName: string;
  positionMicros: number;
  bytesWritten: number;
  sizeBytes: number;
  durationMicros: number;
  lastFailureMicros: number;
  /** Why the last backup failed; empty after a success. */
  lastError: string;
  /** Of the last successful backup, for example that the store does not enforce a guarantee. Absent: none. */
  warnings?: readonly string[];
  /** Points in time that a restore from the last successful backup can target; absent if no backup succeeded. */
  window?: RestorableWindow;
  /** Last restore test of a backup at the destination that passed. Absent: none is known. */
  lastProvenRestore?: Verification;
}

/** Health of the backups of a host. */
export interface BackupHealth {
  healthy: boolean;
  /** Why they are unhealthy; empty if they are healthy. */
  problem: string;
}

/** What a host is, where it listens, and the state of its indexes and backups. */
export interface HostDescription {
  id: string;
  version: string;
  startTimeMicros: number;
  dataDirectory: string;
  /** Public half of the key that signs manifests, as one line of OpenSSH. */
  signingKey: string;
  /** SHA256:... */
  signingKeyFingerprint: string;
  /** Whether manifests without a trusted signature are not used. */
  trustsSignersOnly: boolean;
  backupRoots: string[];
  /** URI without credentials. */
  autoBackupDestination: string;
  /** Of the file system that the data directory lies on. */
  disk: { freeBytes: number; totalBytes: number };
  httpAddress: string;
  grpcAddress: string;
  /** Whether both ports speak TLS. */
  tls: boolean;
  indexes: (IndexState & {
    link: string;
    inMemory: boolean;
    /** Damage that the last check of the index found. */
    problem?: string;
  })[];
  factories: readonly FactoryDescription[];
  /** Backups that are open for reading. */
  opened: readonly OpenedDescription[];
  /** The last backups, one for each index and destination. */
  backups: readonly BackupRecord[];
  backupHealth: BackupHealth;
  /** The maximum age of the newest successful backup; 0: no limit. */
  backupMaxAgeMicros: number;
  engine: EngineDescription;
}

/** What keeps the durable index. */
export interface EngineDescription {
  name: "sqlite" | "postgres";
  /** Absent: the index is in files of this machine. */
  database?: {
    /** HOST:PORT[,HOST:PORT...]/DATABASE, without user and password. */
    name: string;
    schema: string;
    /** Absent: the database cannot be asked at present. */
    status?: DatabaseStatus;
    /** Whether this host leads. If not, it knows nothing of the backups. */
    leads: boolean;
    /** 0: this host does not lead. */
    term: number;
    /** All hosts, this one included. */
    hosts: readonly Member[];
  };
}
