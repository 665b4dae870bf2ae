import type { BackupResult } from "../backup/backup-request.js";
import type { OperationProgress } from "../backup/progress.js";
import type { RestoreResult } from "../backup/restore-request.js";
import type { VerifyResult } from "../backup/verification.js";
import type { HostError } from "../errors.js";

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

/** A piece of work that continues when its caller leaves. */
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
