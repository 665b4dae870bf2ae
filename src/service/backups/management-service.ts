import type { BackupDescription } from "../../segment/description.js";
import type { BackupListing, ListOptions, PruneResult } from "../../backup/listing.js";
import type { BackupRequest } from "../../backup/backup-request.js";
import type { HostDescription } from "../host/description.js";
import type { OperationView } from "../../operation/operation.js";
import type { RestoreRequest } from "../../backup/restore-request.js";
import type { VerifyDepth } from "../../backup/verification.js";

import type { InspectionService } from "./inspection.js";

/** Backup, restore and what is known of the host; the Xenon dialect, REST and gRPC are thin layers over it. */
export interface ManagementService {
  host(): Promise<HostDescription>;
  /** Resolves once the request is checked and the operation has started. */
  backup(request: BackupRequest): Promise<OperationView>;
  restore(request: RestoreRequest): Promise<OperationView>;
  undoRestore(indexLink: string): Promise<OperationView>;
  /** Checks a live index while it serves: INDEX_DAMAGED names what is wrong with it. */
  checkIndex(indexLink: string): Promise<OperationView>;
  /** By default FULL. */
  verifyBackup(uri: string, manifest?: string, depth?: VerifyDepth): Promise<OperationView>;
  describeBackup(uri: string, manifest?: string, signal?: AbortSignal): Promise<BackupDescription>;
  listBackups(uri: string, options?: ListOptions): Promise<BackupListing[]>;
  /** The same, after their files were read: those whose digests do not agree are damaged. */
  checkDigests(listings: readonly BackupListing[], signal?: AbortSignal): Promise<BackupListing[]>;
  readonly inspection: InspectionService;
  pruneBackups(uri: string, names: string[], validateOnly?: boolean): Promise<PruneResult>;
}
