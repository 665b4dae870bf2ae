import type { ManifestFile, Segment, StoredManifest } from "../segment/manifest.js";
import type { DecryptWith } from "../encoding/encoding-call.js";
import type { Reason } from "../errors.js";
import type { Retention } from "../destination/destination.js";
import type { HeldLease } from "../io/lease.js";

/** A manifest at a destination, or the reason why it cannot be read or is not trusted. */
export type FoundManifest = ({ name: string; file: StoredManifest } | UnusableManifest) & {
  /** Whether a pin is beside it. Default: false. */
  pinned?: boolean;
  /** Whether the result of a verification is beside it. Default: false. */
  verified?: boolean;
};

/** A manifest that is damaged, or not signed by a trusted signer. */
export interface UnusableManifest {
  name: string;
  problem: string;
  /** Default: BACKUP_DAMAGED. */
  reason?: Reason;
}

/** Checks who has signed a manifest. */
export interface ManifestTrust {
  /**
   * Throws SIGNATURE_MISSING, SIGNATURE_INVALID or SIGNER_NOT_TRUSTED. `signature` is the text of the
   * signature file, undefined if there is none.
   */
  check(file: ManifestFile, signature: string | undefined): void;
}

/** Reads the backups in a container: a directory of files, or a ZIP archive. */
export interface ContainerReader {
  readonly kind: "ZIP" | "DIRECTORY";
  /** Name for messages: a local path, or a URI without credentials. */
  readonly displayName: string;
  /**
   * Optional: returns the local path of a segment, so that it can be read directly. Absent or undefined
   * if it must be fetched.
   */
  localPath?(segment: Segment): string | undefined;
  /** What decrypts its segments. Absent: only segments that are not encrypted can be read. Secret. */
  readonly decryptWith?: DecryptWith | undefined;
  /** Whether the archive itself is encrypted, and was decrypted to be read. Default: false. */
  readonly isDecrypted?: boolean | undefined;
  /** Reads all manifests, newest first. Throws FORMAT_TOO_NEW if one has a newer format. */
  manifests(signal: AbortSignal): Promise<FoundManifest[]>;
  /** Whether there are files with names of encrypted segments. Absent for an archive. */
  hasEncryptedFiles?(signal: AbortSignal): Promise<boolean>;
  /** Returns the sizes of files by their names, without those that do not exist. */
  sizesOf(names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /**
   * Copies the files of segments to new files, as they are stored, and checks only their sizes.
   * `onBytes` receives the number of bytes copied since the last call.
   */
  fetch(
    wanted: StagedSegment[],
    signal: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<void>;
  /** Reads the file of a segment as it is stored. Throws BACKUP_DAMAGED if it cannot be read. */
  bytesOf(
    segment: Pick<Segment, "name" | "sizeBytes" | "stored">,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /**
   * Reads a small file beside the manifests. Absent for an archive. Throws BACKUP_NOT_FOUND, and
   * BACKUP_DAMAGED for a larger one.
   */
  readSmall?(name: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Closes the container and its destination. */
  close(): Promise<void>;
}

/** A segment and its local file as it is stored, which is in the staging directory or will be fetched. */
export interface StagedSegment {
  segment: Segment;
  path: string;
}

/** Writes one backup to a container under an exclusive lock. The caller must call `close` once. */
export interface ContainerWriter {
  /** Local directory for new segments, which exists. */
  readonly stagingDirectory: string;
  /** Existing manifests, newest first. */
  readonly existing: FoundManifest[];
  /**
   * Lock on the destination until `close`. If it is lost, `commit` fails and nothing at the
   * destination is changed.
   */
  readonly lease: HeldLease;
  /**
   * Whether `existing` comes from the records of the host, and not from a destination that others
   * can write to. Default: false.
   */
  readonly existingIsOwn?: boolean;
  /** Whether there are files with names of encrypted segments. Absent for an archive. */
  hasEncryptedFiles?(): Promise<boolean>;
  /** Whether all segments exist with their full sizes, so that a new manifest may list them. */
  contains(segments: readonly Segment[]): Promise<boolean>;
  /**
   * Stores the new segments, then the manifest, durably, and verifies them by reading back. The backup
   * is complete when this resolves. After a failure, existing backups are unchanged.
   */
  commit(
    staged: StagedSegment[],
    manifest: ManifestFile,
    options: CommitOptions,
  ): Promise<Committed>;
  /**
   * Removes manifests, then those of their segments that no remaining manifest lists. Keeps all
   * segments if a remaining manifest cannot be read. Returns the names of the removed files.
   */
  removeUnused(unused: readonly StoredManifest[]): Promise<string[]>;
  /** Removes partial files and releases the lock. */
  close(): Promise<void>;
}

/** Result of a commit. */
export interface Committed {
  bytesWritten: number;
  /** Whether the backup was verified by reading it back. If false, a warning states why. */
  verified: boolean;
  warnings: string[];
}

/** Options of a commit. */
export interface CommitOptions {
  signal: AbortSignal;
  /** For ZIP archives: store without compression. */
  store: boolean;
  /** Locks the stored files. Requires a destination with object lock. Default: no lock. */
  retention?: Retention | undefined;
  /**
   * Verifies a segment file that is the SQLite database: digest, size, counts and the checksum of each
   * row. The rows of a compressed or encrypted segment were verified before.
   */
  readBack(staged: StagedSegment): Promise<void>;
  /** Receives the number of bytes written since the last call. */
  onBytes(count: number): void;
}
