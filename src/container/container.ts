import type { ManifestFile, Segment, StoredManifest } from "../segment/manifest.js";
import type { HeldLease } from "../io/lease.js";

/** How the files of a backup become files of a file system: side by side in a directory, or packed in one ZIP. */

/** A manifest found at a destination, or why it cannot be read. */
export type FoundManifest =
  { name: string; file: StoredManifest } | { name: string; problem: string };

/** The backups at a destination, open for reading. */
export interface ContainerReader {
  readonly kind: "ZIP" | "DIRECTORY";
  /** What messages call it: a local path, or a URI without credentials. */
  readonly displayName: string;
  /** The segment as a file of this machine that may be read in place; absent where segments have to be fetched. */
  localPath?(segment: string): string;
  /** Newest first. A format newer than ours is FORMAT_TOO_NEW, not a problem of one manifest. */
  manifests(signal: AbortSignal): Promise<FoundManifest[]>;
  /** Undefined if the file is missing. */
  sizeOf(name: string, signal: AbortSignal): Promise<number | undefined>;
  /** Copies segments, checked for their sizes alone, into new files. `onBytes` receives the size of each one that is done. */
  fetch(
    wanted: StagedSegment[],
    signal: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<void>;
  /** The bytes of a segment as stored; of an archive, unpacked. BACKUP_DAMAGED where they cannot be read. */
  bytesOf(
    segment: Pick<Segment, "name" | "sizeBytes">,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** A segment and its file, in the staging directory or where it is to be fetched to. */
export interface StagedSegment {
  segment: Segment;
  path: string;
}

/** A destination that is being written to, by one backup at a time. Ends with one call of `close`. */
export interface ContainerWriter {
  /** Where segments are made: an existing directory. */
  readonly stagingDirectory: string;
  /** What is there already, newest first. */
  readonly existing: FoundManifest[];
  /** Held until `close`. Work for a backup that has lost it is in vain: `commit` refuses, and nothing of another's is touched. */
  readonly lease: HeldLease;
  /** Whether `existing` comes from the host's own records, and not from a place that others can write to. */
  readonly existingIsOwn?: boolean;
  /** Whether the segment is there, whole by its size, so that a new manifest may list it. */
  holds(segment: Segment): Promise<boolean>;
  /**
   * Makes the new segments and then the manifest durable at the destination, and reads back what was written: the
   * backup is finished when this resolves. A failure leaves what was there before as it was.
   */
  commit(
    staged: StagedSegment[],
    manifest: ManifestFile,
    options: CommitOptions,
  ): Promise<Committed>;
  /**
   * Removes manifests, and then those segments of theirs that no manifest at the destination lists by then. Where one of those
   * cannot be read, segments stay. Returns the names.
   */
  removeUnused(unused: readonly StoredManifest[]): Promise<string[]>;
  /** Removes what is unfinished and lets the next backup in. */
  close(): Promise<void>;
}

export interface Committed {
  bytesWritten: number;
  /** Whether what arrived was read back; false only where the destination cannot be read, and then a warning says why. */
  verified: boolean;
  warnings: string[];
}

export interface CommitOptions {
  signal: AbortSignal;
  /** ZIP: store instead of deflate. */
  store: boolean;
  /** Reads a file back: digest, size, counts and the checksum of each row. */
  readBack(staged: StagedSegment): Promise<void>;
  onBytes(count: number): void;
}
