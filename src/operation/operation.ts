import type { CopyResult } from "../backup/copy.js";
import type { BackupResult } from "../backup/backup-request.js";
import type { OpenedDescription } from "../backup/opened-description.js";
import type { OperationProgress } from "../backup/progress.js";
import type { RestoreResult } from "../backup/restore-request.js";
import type { VerifyResult } from "../backup/verification.js";
import type { HostError } from "../errors.js";

/** Result of checking a live index. */
export interface CheckIndexResult {
  indexLink: string;
  records: number;
  bytes: number;
  documents: number;
  versions: number;
}

/** Kind of an operation. */
export type OperationKind =
  | "backup"
  | "restore"
  | "undo-restore"
  | "verify-backup"
  | "check-index"
  | "copy-backup"
  | "open-backup";

/** Result of a successful operation. */
export type OperationOutcome =
  BackupResult | RestoreResult | VerifyResult | CheckIndexResult | CopyResult | OpenedDescription;

/** State of a long-running operation, which continues when its client disconnects. */
export interface OperationView {
  /** For example operations/9b6e4229-.... */
  name: string;
  kind: OperationKind;
  indexLink: string;
  /** URI or name of the destination, source or index, without credentials. */
  target: string;
  /** Name of the policy that started it. Absent: a client did. */
  policy?: string;
  startTimeMicros: number;
  endTimeMicros?: number;
  progress: OperationProgress;
  done: boolean;
  error?: HostError;
  result?: OperationOutcome;
}

/** Access to the operations of a host. Methods throw OPERATION_NOT_FOUND for an unknown name. */
export interface OperationService {
  get(name: string): OperationView;
  /** Lists operations, newest first. Throws PAGE_TOKEN_INVALID. */
  list(
    pageSize: number,
    pageToken?: string,
  ): { operations: OperationView[]; nextPageToken?: string };
  /** Resolves to the state at the end of the operation, or at the timeout or abort. */
  wait(name: string, timeoutMs: number, signal?: AbortSignal): Promise<OperationView>;
  /** Cancels an operation and waits for its end. Does nothing if it has ended. */
  cancel(name: string): Promise<void>;
  /** Removes the record of an operation. Throws OPERATION_RUNNING if it has not ended. */
  delete(name: string): Promise<void>;
}
