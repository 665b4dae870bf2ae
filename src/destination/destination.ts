import type { OpenFile } from "../io/file-system.js";
import type { HeldLease } from "../io/lease.js";
import type { ManifestFile } from "../segment/manifest.js";

/**
 * A namespace of immutable objects at one URI: where backups are stored and read from.
 *
 * Guarantees that every implementation gives and the conformance suite checks:
 * - An object is visible whole or not at all.
 * - An object is durable once `put` resolves, and gone for good once `remove` resolves.
 * - `get`, `stat` and `list` see every `put` and `remove` that resolved before they were called.
 * - An operation that rejects leaves what was there before, or a whole new object.
 * - Transient failures (connections, timeouts, 5xx answers) are retried inside, within the bounds of
 *   limits.ts. What is thrown is final: callers do not retry.
 *
 * Errors are HostErrors (BACKUP_NOT_FOUND, DESTINATION_FULL, DESTINATION_REFUSED,
 * DESTINATION_UNREACHABLE, ...) or errors of node:fs, which `fromFileError` words.
 * Object names are single path segments; whoever reads names from outside checks them first.
 */
export interface Destination {
  /** Without credentials; shown in errors, records and user interfaces. */
  readonly uri: string;
  readonly capabilities: Capabilities;
  /** The URI of an object in it, without credentials. */
  uriOf(object: string): string;
  /** What messages call the destination, or an object in it: a local path, or a URI without credentials. */
  displayName(object?: string): string;
  /** Stores an object under a name, replacing an object of that name. */
  put(name: string, body: ObjectBody, options: PutOptions): Promise<void>;
  /** The bytes of an object. BACKUP_NOT_FOUND if it does not exist, BACKUP_DAMAGED if it ends before `end`. */
  get(name: string, options: GetOptions): AsyncIterable<Uint8Array>;
  /** Undefined if there is no such object. */
  stat(name: string, signal: AbortSignal): Promise<ObjectInfo | undefined>;
  /** Everything in the namespace, sorted by name. Requires `capabilities.list`. */
  list(options: ListEntriesOptions): AsyncIterable<ListedEntry>;
  /** Removes objects; names that do not exist are skipped. Requires `capabilities.remove`. */
  remove(names: readonly string[], options: RemoveOptions): Promise<void>;
  /**
   * Waits until no one else writes to the object, or, without a name, to the namespace, and keeps
   * others out until `release`. `capabilities.lock` says whom it excludes. DESTINATION_BUSY after
   * limits.leaseWaitMs.
   */
  lock(object: string | undefined, signal: AbortSignal): Promise<Lock>;
  /** Makes a directory on this machine for files that `put` will take. */
  stage(options: StageOptions): Promise<StagingArea>;
  /**
   * Removes what interrupted writers left of the object, or, without a name, in the namespace:
   * temporary files and staging areas. Notes and staging areas in use stay.
   */
  removeAbandoned(object: string | undefined, lock: HeldLease): Promise<void>;
  /** Frees what reading took: connections, held transfers. A destination that is used again takes them again. */
  close(): Promise<void>;
  /** Fast path: the object as a file of this machine, which SQLite and ZIP readers open in place. */
  localPath?(name: string): string;
  /** Opens that file for reading, with the checks that the destination makes of its paths. Comes with `localPath`. */
  openLocal?(name: string): Promise<OpenFile>;
  /** Fast path: copies an object into a new local file, in parallel ranges. */
  fetch?(name: string, path: string, options: FetchOptions): Promise<void>;
  /** Bytes that are free for new objects, or would be once the namespace is made. */
  freeBytes?(): Promise<number>;
  /** Whether the namespace is there. Absent: namespaces do not have to be made. */
  exists?(): Promise<boolean>;
  /** A namespace below this one, by the name that `list` gives it. */
  child?(name: string): Destination;
  /** Names the namespace apart from links and aliases: equal for two names of the same namespace. */
  identity?(): Promise<string>;
}

/** What a destination can do. An operation that needs more fails with NOT_SUPPORTED and names the capability. */
export interface Capabilities {
  /** Can list its objects: required by directories of backups. */
  readonly list: boolean;
  /** Can remove objects: required by directories of backups and by pruning. */
  readonly remove: boolean;
  /** Can make a put conditional on the version of the object that it replaces. */
  readonly conditionalPut: boolean;
  /** Whom `lock` excludes: other operations of this host, or every writer on any machine. */
  readonly lock: "host" | "everyone";
  /** Whether objects are files of this machine. */
  readonly localPath: boolean;
}

/** Bytes to store. A file is one in a staging area of this destination, which may move it away. */
export type ObjectBody = { path: string } | { bytes: Uint8Array };

export interface PutOptions {
  signal: AbortSignal;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
  /**
   * Replace this version only, or with `null` no object at all; DESTINATION_OCCUPIED otherwise.
   * Absent: replace anything. Requires `capabilities.conditionalPut`.
   */
  ifVersion?: string | null;
  /** False: losing the object in a power cut does no harm, so nothing waits for the disk. Default: true. */
  durable?: boolean;
  /** The manifest in an archive, for destinations that keep records about their objects. */
  manifest?: ManifestFile;
  /** Counts bytes that have arrived, where a put takes long. */
  onBytes?(count: number): void;
}

export interface GetOptions {
  signal: AbortSignal;
  /** The first byte. Default: 0. */
  offset?: number;
  /** The first byte that is not wanted. Default: the size of the object. */
  end?: number;
  /** The largest chunk. Default: limits.copyChunkBytes. */
  chunkBytes?: number;
}

export interface FetchOptions {
  signal: AbortSignal;
  /** `total` is 0 while it is unknown. */
  onBytes?(done: number, total: number): void;
}

export interface ListEntriesOptions {
  signal: AbortSignal;
  /** Whether `kind`, `sizeBytes` and `modifiedMs` are wanted, which may cost a request for each entry. */
  details?: boolean;
}

export interface RemoveOptions {
  signal: AbortSignal;
  /** Checked before each removal: DESTINATION_BUSY once it is lost. */
  lock: HeldLease;
  /** As in PutOptions. */
  durable?: boolean;
}

export interface StageOptions {
  /** What is staged: an archive of this name. Absent: objects of the namespace. */
  object?: string;
  /** The lock that keeps others from removing the area. Absent: the area shows by itself that it is in use. */
  lock?: HeldLease;
  /** About how much will be put; refused early where there is no room for it. Default: unknown. */
  expectedBytes?: number;
}

export interface StagingArea {
  /** An empty directory, absolute. */
  readonly directory: string;
  /** Removes the area and everything in it. */
  close(): Promise<void>;
}

export interface ObjectInfo {
  sizeBytes: number;
  modifiedMs: number;
  /** Differs after each change. Empty: unknown. */
  version: string;
}

/** An entry of a list. `kind` "other": neither, or unreadable. */
export interface ListedEntry {
  name: string;
  kind?: "object" | "namespace" | "other";
  sizeBytes?: number;
  modifiedMs?: number;
}

/** Exclusive access, held until `release`. */
export interface Lock extends HeldLease {
  release(): Promise<void>;
}

/** Names with this prefix are notes: objects beside a backup that are no part of one, and that only their writer removes. */
export const notePrefix = ".holdfast-pending-";
