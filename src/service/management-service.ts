import type {
  BackupDescription,
  BackupListing,
  BackupRequest,
  HostDescription,
  OperationView,
  PruneResult,
  RestoreRequest,
} from "../backup/model.js";

export type * from "../backup/model.js";

/** Backup, restore and what is known of the host; the Xenon dialect, REST and gRPC are thin layers over it. */
export interface ManagementService {
  host(): Promise<HostDescription>;
  /** Resolves once the request was checked and the work has begun; the outcome is the operation's. */
  backup(request: BackupRequest): Promise<OperationView>;
  restore(request: RestoreRequest): Promise<OperationView>;
  undoRestore(indexLink: string): Promise<OperationView>;
  verifyBackup(uri: string, manifest?: string): Promise<OperationView>;
  describeBackup(uri: string, manifest?: string): Promise<BackupDescription>;
  listBackups(uri: string): Promise<BackupListing[]>;
  pruneBackups(uri: string, names: string[], validateOnly?: boolean): Promise<PruneResult>;
}
