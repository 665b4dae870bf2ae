import { temporaryPrefix } from "../io/durable-file.js";
import type { OpenFile } from "../io/file-system.js";
import type { HeldLease } from "../io/lease.js";
import type { ManifestFile } from "../segment/manifest.js";

/**
 * A namespace of immutable objects at a URI, which stores backups.
 *
 * Every implementation gives these guarantees, which the conformance suite tests:
 * - An object is visible completely or not at all.
 * - An object is durable once `put` resolves, and removed durably once `remove` resolves.
 * - `get`, `stat` and `list` see every `put` and `remove` that resolved before the call.
 * - A failed `put` leaves the previous object or the complete new one.
 * - Implementations retry transient failures (connections, timeouts, 5xx responses) by retry.ts, within the bounds
 *   of limits.ts. Callers do not retry.
 *
 * Errors are HostErrors (BACKUP_NOT_FOUND, DESTINATION_FULL, DESTINATION_REFUSED,
 * DESTINATION_UNREACHABLE, ...) or errors of node:fs, which `fromFileError` converts.
 * Object names are single path segments. Callers validate names that come from outside.
 */
export interface Destination {
  /** Without credentials, for messages, records and user interfaces. */
  readonly uri: string;
  /** Optional features of the destination. */
  readonly capabilities: Capabilities;
  /** Returns the URI of an object, without credentials. */
  uriOf(object: string): string;
  /**
   * Returns the name of the destination or of an object for messages: a local path, or a URI
   * without credentials.
   */
  displayName(object?: string): string;
  /** Stores an object and replaces an existing object of the same name. */
  put(name: string, body: ObjectBody, options: PutOptions): Promise<Stored>;
  /**
   * Reads an object. Throws BACKUP_NOT_FOUND if it does not exist, and BACKUP_DAMAGED if it ends
   * before `end`.
   */
  get(name: string, options: GetOptions): AsyncIterable<Uint8Array>;
  /** Returns the metadata of an object, or undefined if it does not exist. */
  stat(name: string, signal: AbortSignal): Promise<ObjectInfo | undefined>;
  /** Lists the namespace, sorted by name. Requires `capabilities.list`. */
  list(options: ListEntriesOptions): AsyncIterable<ListedEntry>;
  /** Removes objects and ignores names that do not exist. Requires `capabilities.remove`. */
  remove(names: readonly string[], options: RemoveOptions): Promise<void>;
  /**
   * Acquires exclusive write access to an object, or to the namespace if no name is given.
   * `capabilities.lock` states which other writers are excluded. Throws DESTINATION_BUSY after
   * limits.leaseWaitMs.
   */
  lock(object: string | undefined, signal: AbortSignal): Promise<Lock>;
  /** Creates a local directory for files that `put` will store. */
  stage(options: StageOptions): Promise<StagingArea>;
  /**
   * Removes temporary files and staging areas of interrupted writers of an object, or of the
   * namespace if no name is given. Keeps notes and staging areas in use.
   */
  removeAbandoned(object: string | undefined, lock: HeldLease): Promise<void>;
  /** Releases connections and other resources of reading. The destination remains usable. */
  close(): Promise<void>;
  /** Optional: returns the local path of an object, so that it can be read directly. */
  localPath?(name: string): string;
  /**
   * Opens the local file of an object for reading, with the path checks of the destination.
   * Required with `localPath`.
   */
  openLocal?(name: string): Promise<OpenFile>;
  /** Optional: copies an object to a new local file, faster than `get`. */
  fetch?(name: string, path: string, options: FetchOptions): Promise<void>;
  /** Optional: returns the free bytes for new objects. */
  freeBytes?(): Promise<number>;
  /** Optional: whether the namespace exists. Absent if namespaces need not be created. */
  exists?(): Promise<boolean>;
  /** Optional: returns a namespace in this one, by its name in `list`. */
  child?(name: string): Destination;
  /**
   * Optional: returns a text that is equal for two URIs of the same namespace, for example the path
   * without links.
   */
  identity?(): Promise<string>;
  /**
   * Optional: finds out what the store enforces, by writing and removing an object. Called before the
   * first write; `capabilities` and `warnings` are only then complete. Repeated calls do nothing.
   */
  probe?(signal: AbortSignal): Promise<readonly StoreFeature[]>;
  /**
   * Optional: whether objects can be locked, found out without writing, for a dry run. Undefined: unknown.
   * Default: as `capabilities` states.
   */
  supportsObjectLock?(signal: AbortSignal): Promise<boolean | undefined>;
  /** Optional: what the user should know about guarantees that the store does not give. */
  warnings?(): readonly string[];
  /**
   * Optional: locks an object until a later time, if its lock ends before. Required with
   * `capabilities.objectLock`.
   */
  extendRetention?(name: string, retention: Retention, signal: AbortSignal): Promise<void>;
}

/** Name of the object with which a writer locks a namespace, where the lock is an object. */
export const directoryLease = `${temporaryPrefix}lease`;

/** A guarantee that a store may give. */
export interface StoreFeature {
  /** For example `conditional create`. */
  name: string;
  enforced: boolean;
  /** What follows if it is not enforced. */
  consequence?: string;
}

/** Until when a store refuses to remove an object. */
export interface Retention {
  /** COMPLIANCE: nobody can shorten it. GOVERNANCE: a user with a special permission can. */
  mode: "GOVERNANCE" | "COMPLIANCE";
  /** In milliseconds since 1970. */
  untilMs: number;
}

/** Result of Destination.put. */
export interface Stored {
  /**
   * Whether the destination compared the stored bytes with their SHA-256. If not, the caller reads the
   * object back.
   */
  verified: boolean;
}

/**
 * Features of a destination. An operation that needs a missing one throws NOT_SUPPORTED with its
 * name.
 */
export interface Capabilities {
  /** Lists objects: required for backups of type DIRECTORY. */
  readonly list: boolean;
  /** Removes objects: required for backups of type DIRECTORY and for pruning. */
  readonly remove: boolean;
  /** Supports PutOptions.ifVersion. */
  readonly conditionalPut: boolean;
  /** Which writers `lock` excludes: those of this host, or those of all machines. */
  readonly lock: "host" | "everyone";
  /** Objects are local files. */
  readonly localPath: boolean;
  /** Supports PutOptions.retention. */
  readonly objectLock: boolean;
}

/**
 * Contents to store. A path is in a staging area of the destination, and `put` may move the file.
 */
export type ObjectBody = { path: string } | { bytes: Uint8Array };

/** Options of Destination.put. */
export interface PutOptions {
  signal: AbortSignal;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
  /**
   * Version of the object to replace, or null if no object may exist. Throws DESTINATION_OCCUPIED
   * otherwise. Default: replace any object. Requires `capabilities.conditionalPut`.
   */
  ifVersion?: string | null;
  /** False: do not sync, because losing the object in a power cut does no harm. Default: true. */
  durable?: boolean;
  /** Locks the object. Requires `capabilities.objectLock`. Default: no lock. */
  retention?: Retention | undefined;
  /** Manifest in the archive, for destinations that record it. */
  manifest?: ManifestFile;
  /** Receives the number of bytes stored since the last call. */
  onBytes?(count: number): void;
}

/** Options of Destination.get. */
export interface GetOptions {
  signal: AbortSignal;
  /** Offset of the first byte. Default: 0. */
  offset?: number;
  /** Offset after the last byte. Default: the size of the object. */
  end?: number;
  /** Maximum size of a chunk. Default: limits.copyChunkBytes. */
  chunkBytes?: number;
}

/** Options of Destination.fetch. */
export interface FetchOptions {
  signal: AbortSignal;
  /** Greatest size of the object. Default: no limit but the free space. */
  maxBytes?: number;
  /** Receives the bytes received so far and the size, which is 0 if unknown. */
  onBytes?(done: number, total: number): void;
}

/** Options of Destination.list. */
export interface ListEntriesOptions {
  signal: AbortSignal;
  /**
   * Include `kind`, `sizeBytes` and `modifiedMs`, which may need a request per entry. Default:
   * false.
   */
  details?: boolean;
}

/** Options of Destination.remove. */
export interface RemoveOptions {
  signal: AbortSignal;
  /** Checked before each removal. Throws DESTINATION_BUSY if the lock is lost. */
  lock: HeldLease;
  /** As in PutOptions. */
  durable?: boolean;
}

/** Options of Destination.stage. */
export interface StageOptions {
  /** Name of the archive to stage. Default: objects of the namespace. */
  object?: string;
  /**
   * Lock that prevents others from removing the staging area. Default: the staging area has a lease
   * of its own.
   */
  lock?: HeldLease;
  /**
   * Approximate size of the objects, so that a lack of space is detected early. Default: unknown.
   */
  expectedBytes?: number;
}

/** A local directory for files that will be stored. */
export interface StagingArea {
  /** Absolute path of an empty directory. */
  readonly directory: string;
  /** Removes the directory with its contents. */
  close(): Promise<void>;
}

/** Metadata of an object. */
export interface ObjectInfo {
  sizeBytes: number;
  modifiedMs: number;
  /** Changes with each modification. Empty if unknown. */
  version: string;
  /** The store refuses to remove the object before this time. Absent: no lock. */
  lockedUntilMs?: number;
}

/** An entry of a listing. Kind "other": neither an object nor a namespace, or unreadable. */
export interface ListedEntry {
  name: string;
  kind?: "object" | "namespace" | "other";
  sizeBytes?: number;
  modifiedMs?: number;
}

/** Exclusive write access. */
export interface Lock extends HeldLease {
  /** Ends the exclusive access. */
  release(): Promise<void>;
}

/**
 * Prefix of notes: objects that are not part of a backup, and that only their writer or the next
 * owner of the lock removes.
 */
export const notePrefix = ".holdfast-pending-";
