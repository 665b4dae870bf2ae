import type { Verification } from "./verification.js";
import type { BackupDescription } from "../segment/description.js";

/** INCOMPLETE: files of a backup without its manifest. FOREIGN: not a backup of Holdfast. */
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

export interface PruneResult {
  removedBackups: string[];
  removedFiles: string[];
  freedBytes: number;
}
