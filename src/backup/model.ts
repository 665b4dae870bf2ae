import type { IndexState, RestorableWindow } from "../engine/engine.js";
import type { HostError } from "../errors.js";
import type { BackupDescription, ContainerKind } from "../segment/description.js";

export type {
  BackupDescription,
  ContainerKind,
  SegmentDescription,
} from "../segment/description.js";

/** Requests and results of backup and restore, and what is known of the host, in the host's own terms. Times in microseconds, sizes in bytes. */

export interface BackupRequest {
  /** A file:, http: or https: URI, as it came. */
  destination: string;
  container: ContainerKind;
  indexLink: string;
  /** ZIP: store instead of deflate. */
  store?: boolean;
  /** DIRECTORY: a new base even where a delta would do. */
  full?: boolean;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): sent as Authorization: Bearer to the destination's own origin alone; in no answer and no log. */
  bearer?: string;
  /** http(s): whether what was sent is read back. Absent: yes, and a destination that cannot be read is a warning. */
  verify?: boolean;
  /** transfer: alone: the SHA-256 of the manifest after which the backup begins. */
  since?: string;
}

export interface RestoreRequest {
  /** Where the backup is: the same URI it was backed up to. */
  source: string;
  indexLink: string;
  /** Versions at exactly this time stay. Absent: everything. */
  targetTimeMicros?: bigint;
  /** Xenon's: after the window means everything, before the first version an empty index. Otherwise both are refused. */
  lenientTargetTime?: boolean;
  /** Whether the request named the index: only then a backup of another index is restored into this one. */
  indexNamed?: boolean;
  /** The manifest to restore; absent: the newest. */
  manifest?: string;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): sent as Authorization: Bearer to the source's own origin alone. */
  bearer?: string;
  /** The index must still be at this position when it is switched, or nothing is done: INDEX_CHANGED. */
  ifPositionMicros?: number;
  /** Only these documents are put back, into the live index, as new versions. */
  selection?: DocumentSelection & { deleteOthers: boolean };
  /** Further archives that hold segments which the manifest lists and the source itself lacks. */
  baseSources?: string[];
}

/** What became of the documents of a selection; of validateOnly, what would. */
export interface SelectionResult {
  created: number;
  replaced: number;
  unchanged: number;
  deleted: number;
  /** The backup has them not: they stayed as they are. */
  left: number;
  /** The first limits.restoreSamples of those created, replaced and deleted. */
  differences: DocumentDifference[];
}

/** What a backup would do. */
export interface BackupForecast {
  kind: "UNCHANGED" | "BASE" | "DELTA";
  reason: string;
  records: number;
  estimatedBytes: number;
  /** Of the destination, where that can be told. */
  freeBytes?: number;
  expectedMicros?: number;
  replacedBackups: string[];
}

/** What a restore would do. */
export interface RestoreForecast {
  backup: BackupDescription;
  currentDocuments: number;
  currentVersions: number;
  currentPositionMicros: number;
  /** Versions that the restored index would not have; absent where the backup is of another history. */
  versionsLeftOut?: number;
  neededBytes: number;
  freeBytes: number;
  expectedMicros?: number;
}

export interface BackupResult {
  backup: BackupDescription;
  /** What this run added. */
  bytesWritten: number;
  segmentsWritten: number;
  /** False only where the destination cannot be read back; the warnings say so. */
  verified: boolean;
  warnings: string[];
  /** Of validateOnly. */
  forecast?: BackupForecast;
}

export interface RestoreResult {
  indexLink: string;
  lineage: string;
  documents: number;
  versions: number;
  positionMicros: number;
  /** The moment restored to, where one was asked for. */
  targetTimeMicros?: number;
  warnings: string[];
  /** Of a restore of some documents. */
  selection?: SelectionResult;
  /** Of validateOnly. */
  forecast?: RestoreForecast;
}

/** A state of an index: of a backup or of the live index. */
export interface IndexPointInTime {
  /** Where the backup is; absent: the live index. */
  uri?: string;
  /** Absent: the newest. */
  manifest?: string;
  /** Absent: its end. */
  targetTimeMicros?: bigint;
  /** Of the live index. */
  indexLink: string;
  /** As in RestoreRequest. */
  bearer?: string;
}

/** Some documents of an index: those whose link is one of the links or begins with a prefix, and whose kind is one of the kinds. None of either: all. */
export interface DocumentSelection {
  prefixes: readonly string[];
  kinds: readonly string[];
  links: readonly string[];
}

/** A document that is not the same in two states of an index. */
export interface DocumentDifference {
  link: string;
  change: "CREATED" | "CHANGED" | "DELETED";
  kind: string;
  from?: { version: number; updateTimeMicros: number };
  to?: { version: number; updateTimeMicros: number };
}

export interface DiffSummary {
  created: number;
  changed: number;
  deleted: number;
  same: number;
}

/** How far a backup is checked; each level has what the one before has. */
export type VerifyLevel = "LIST" | "SAMPLE" | "FULL" | "TRIAL";

export interface VerifyDepth {
  level: VerifyLevel;
  /** SAMPLE: how many of a hundred rows. */
  samplePercent: number;
}

export interface VerifyResult {
  backup: BackupDescription;
  level: VerifyLevel;
  records: number;
  bytes: number;
  /** Of a trial: what it restored. */
  documents?: number;
  versions?: number;
}

/** What a check of a backup found. */
export interface Verification {
  level: VerifyLevel;
  timeMicros: number;
  passed: boolean;
  /** What was not as it was written. */
  problem?: string;
  records: number;
}

export interface PruneResult {
  removedBackups: string[];
  removedFiles: string[];
  freedBytes: number;
}

/** INCOMPLETE: files of a backup without its manifest. FOREIGN: a backup that is none of ours, or none at all. */
export type BackupState = "COMPLETE" | "DAMAGED" | "INCOMPLETE" | "FOREIGN";

/** What is found where backups are looked for. */
export interface BackupListing {
  /** Of the manifest; of what has none, of the file or directory. */
  name: string;
  uri: string;
  state: BackupState;
  /** What is wrong with one that is not complete. */
  problem?: string;
  backup?: BackupDescription;
  lastVerification?: Verification;
  /** Of the newest file. */
  modifiedMicros?: number;
}

export interface ListOptions {
  /** file: alone: looks in the directories below too. */
  recursive?: boolean;
  signal?: AbortSignal;
}

/** What a check of a live index read and counted. */
export interface CheckIndexResult {
  indexLink: string;
  records: number;
  bytes: number;
  documents: number;
  versions: number;
}

export type OperationKind = "backup" | "restore" | "undo-restore" | "verify-backup" | "check-index";
export type OperationOutcome = BackupResult | RestoreResult | VerifyResult | CheckIndexResult;

export interface OperationProgress {
  /** For example "exporting", "verifying", "building", "switching". */
  stage: string;
  bytesDone: number;
  bytesTotal: number;
  documentsDone: number;
  documentsTotal: number;
  warnings: string[];
}

/** A piece of work that goes on when its caller leaves. */
export interface OperationView {
  /** For example operations/3f2c.. */
  name: string;
  kind: OperationKind;
  indexLink: string;
  /** What it works on, without credentials. */
  target: string;
  startTimeMicros: number;
  endTimeMicros?: number;
  progress: OperationProgress;
  done: boolean;
  error?: HostError;
  result?: OperationOutcome;
}

/** How automatic backups of an index stand. */
export interface AutoBackupStatus {
  enabled: boolean;
  directory: string;
  indexLink: string;
  /** CURRENT: all that was written is backed up. WAITING: a run begins in a moment. RETRYING: the last one failed. */
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
  /** How old the newest good backup may be; 0: as old as it likes. */
  backupMaxAgeMicros: number;
}

export interface OperationService {
  get(name: string): OperationView;
  list(
    pageSize: number,
    pageToken?: string,
  ): { operations: OperationView[]; nextPageToken?: string };
  /** Resolves when it is done, or as it is at the time-out. */
  wait(name: string, timeoutMs: number, signal?: AbortSignal): Promise<OperationView>;
  cancel(name: string): Promise<void>;
  /** Forgets one that is done; OPERATION_RUNNING for one that is not. */
  delete(name: string): Promise<void>;
}
