import type { DecryptWith } from "../encoding/encoding-call.js";
import type { Verification } from "./verification.js";
import type { BackupDescription } from "../segment/description.js";

/**
 * INCOMPLETE: files of a backup without its manifest. FOREIGN: not a backup of Holdfast. UNTRUSTED: its
 * manifest is not signed by a trusted signer. ENCRYPTED: an archive that no given identity opens.
 */
export type BackupState =
  "COMPLETE" | "DAMAGED" | "INCOMPLETE" | "FOREIGN" | "UNTRUSTED" | "ENCRYPTED";

/** An item of a listing of backups. */
export interface BackupListing {
  /** Name of the manifest, or of the file or directory without one. */
  name: string;
  uri: string;
  state: BackupState;
  /** Why the backup is not complete. */
  problem?: string;
  backup?: BackupDescription;
  lastVerification?: Verification;
  /** Neither pruning nor retention removes it. Default: false. */
  pinned?: boolean;
  /** Why, for people; whoever can write to the destination can change it. */
  pinReason?: string;
  /** Modification time of the newest file. */
  modifiedMicros?: number;
}

export interface ListOptions {
  /** file: also lists subdirectories. */
  recursive?: boolean;
  signal?: AbortSignal;
  /** Keys for encrypted archives. */
  decryptWith?: DecryptWith | undefined;
}

export interface PruneResult {
  removedBackups: string[];
  removedFiles: string[];
  freedBytes: number;
  /** Files that were kept because the store has locked them, with the end of the lock in milliseconds since 1970. */
  lockedFiles: { name: string; untilMs: number }[];
  /** Names of backups that were kept because they are pinned. */
  pinnedBackups: string[];
}
