import type { BackupDescription } from "../../segment/description.js";
import type { BackupListing, ListOptions, PruneResult } from "../../backup/listing.js";
import type { DestinationCheck } from "../../backup/check-destination.js";
import type { BackupRequest } from "../../backup/backup-request.js";
import type { HostDescription } from "../host/description.js";
import type { OperationView } from "../../operation/operation.js";
import type { RestoreRequest, UndoRequest } from "../../backup/restore-request.js";
import type { VerifyDepth } from "../../backup/verification.js";

import type { OpenRequest } from "./start-open.js";
import type { CopyRequest } from "./start-copy.js";
import type { InspectionService } from "./inspection.js";

/** Backups, restores and the state of the host, independent of the protocol. */
export interface ManagementService {
  host(): Promise<HostDescription>;
  /** Resolves when the request is validated and the operation has started. */
  backup(request: BackupRequest): Promise<OperationView>;
  restore(request: RestoreRequest): Promise<OperationView>;
  /** Reverts the last restore of an index. Throws UNDO_NOT_LAST. */
  undoRestore(request: UndoRequest): Promise<OperationView>;
  /** Opens a backup or a point in time as a read-only index. Resolves when the operation has started. */
  openBackup(request: OpenRequest): Promise<OperationView>;
  /** Closes an index that openBackup has opened. Throws INDEX_NOT_FOUND. */
  closeBackup(indexLink: string): Promise<void>;
  /** Checks a live index while it is in use. Throws INDEX_DAMAGED. */
  checkIndex(indexLink: string): Promise<OperationView>;
  /** Verifies a backup. Default level: FULL. */
  verifyBackup(uri: string, manifest?: string, depth?: VerifyDepth): Promise<OperationView>;
  describeBackup(
    uri: string,
    manifest?: string,
    options?: Pick<ListOptions, "signal" | "decryptWith">,
  ): Promise<BackupDescription>;
  listBackups(uri: string, options?: ListOptions): Promise<BackupListing[]>;
  /** Compares the digests of all files, and returns the listing with damaged backups marked. */
  checkDigests(
    listings: readonly BackupListing[],
    options?: Pick<ListOptions, "signal" | "decryptWith">,
  ): Promise<BackupListing[]>;
  readonly inspection: InspectionService;
  /** Checks a destination by writing and removing an object. Throws NOT_SUPPORTED. */
  checkDestination(uri: string, signal: AbortSignal): Promise<DestinationCheck>;
  /** Copies a backup to another destination. Resolves when the operation has started. */
  copyBackup(request: CopyRequest): Promise<OperationView>;
  /** Pins a backup, so that nothing removes it. Throws BACKUP_NOT_FOUND. */
  pinBackup(uri: string, name: string, reason: string): Promise<void>;
  unpinBackup(uri: string, name: string): Promise<void>;
  pruneBackups(uri: string, names: string[], validateOnly?: boolean): Promise<PruneResult>;
}
