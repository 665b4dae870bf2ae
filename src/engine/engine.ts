import type { DocumentVersion, DocumentWrite } from "../document/document.js";
import type { Filter, OrderBy } from "../document/filter.js";

/**
 * What stands between the host and a storage engine. Nothing above this interface may assume SQLite. All times are
 * microseconds since 1970 as exact integers below 2^53; all sizes are bytes. Every method rejects with HostError.
 */

/** One page of a listing. */
export interface PageQuery {
  /** Only links that begin with this, for example "/core/examples/". */
  linkPrefix: string;
  kind?: string;
  filter?: Filter;
  orderBy?: OrderBy[];
  /** At most this many documents; a page also ends at `pageBytes` of bodies, limits.pageBytes where that is not given. */
  limit: number;
  pageBytes?: number;
  /** The cursor of the page before. */
  cursor?: string;
  includeDeleted?: boolean;
  /** Whether bodies are wanted; without, `body` is empty. */
  expand: boolean;
  /** The state as of this time; the first page fixes it to the log's position and its cursor carries it on. */
  atMicros?: number;
}

export interface Page {
  documents: DocumentVersion[];
  /** Present when there may be more. */
  cursor?: string;
}

/** The times a restore can go to, both included. */
export interface RestorableWindow {
  earliestMicros: number;
  latestMicros: number;
  /** The link whose pruned versions bound the earliest time, where one does. */
  boundingLink?: string;
  /** The time of the first version that ever was, pruned ones included: before it the index was empty. 0 when there was none. */
  historyStartMicros: number;
}

export interface LineageParent {
  indexId: string;
  lineage: string;
  /** The position in the parent's log from which the child goes on. */
  positionMicros: number;
}

export interface IndexIdentity {
  /** Belongs to the data directory; never restored. */
  indexId: string;
  lineage: string;
  /** Oldest first. */
  parents: LineageParent[];
}

/** One row of the log, as far as it takes to know it again. */
export interface LogMark {
  timeMicros: number;
  link: string;
  version: number;
  /** The checksum of the row. */
  crc: number;
}

export interface IndexState extends IndexIdentity {
  formatVersion: number;
  /** The time of the last change in the log: a version or a prune. 0 when there is none. */
  positionMicros: number;
  /** Documents whose latest version is not deleted. */
  documents: number;
  versions: number;
  sizeBytes: number;
  window: RestorableWindow;
  /** The last version in the log, where there is one. */
  lastRecord?: LogMark;
}

/** A fixed position of the log. Rows at or below it do not change until it is released. */
export interface Snapshot extends IndexState {
  /** The wall time of the snapshot, at least the position: the end of the restorable window. */
  wallTimeMicros: number;
  release(): Promise<void>;
}

export interface ExportRequest {
  snapshot: Snapshot;
  kind: "base" | "delta";
  /** The log rows and prunes in (afterMicros, snapshot position]; 0 for a base. */
  afterMicros: number;
  /** A new file; its directory exists. It is complete and synced when the promise resolves. */
  path: string;
  signal: AbortSignal;
  onProgress?: (rows: number) => void;
}

/** What a segment holds: the log rows in (firstMicros, lastMicros], as counted while it was written. */
export interface SegmentContent {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
  records: number;
  prunes: number;
  sizeBytes: number;
  sha256: string;
}

/** Reading and writing documents of one index. */
export interface DocumentStore {
  /** Durable when it resolves. Undefined: a DELETE of what is already deleted. */
  write(write: DocumentWrite): Promise<DocumentVersion | undefined>;
  /** The latest version, a deleted one too, or the version asked for, or the latest one at or before a time. */
  read(link: string, at?: { version?: number; atMicros?: number }): Promise<DocumentVersion | undefined>;
  page(query: PageQuery, signal?: AbortSignal): Promise<Page>;
  count(query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">, signal?: AbortSignal): Promise<number>;
  /** Versions of one link, newest first, below `beforeVersion` where given; ends early at limits.pageBytes of bodies. */
  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]>;
  state(): Promise<IndexState>;
}

/** One open generation of an index. */
export interface Engine extends DocumentStore {
  /** Pins the log at its present position; pruning waits until it is released. */
  snapshot(): Promise<Snapshot>;
  exportSegment(request: ExportRequest): Promise<SegmentContent>;
  /** Reads a segment of our own back: digest, size, counts and the checksum of each row must agree, else BACKUP_DAMAGED. */
  readBack(segment: SegmentSource, signal: AbortSignal): Promise<void>;
  /**
   * Whether the log holds this very row, or has pruned it: only then is what ends with it a part of this history, and not
   * of another that a copied data directory has gone on to.
   */
  holds(mark: LogMark): Promise<boolean>;
  /** Turns documents past their expiry into deleted ones and prunes; returns how many versions it wrote and removed. */
  sweep(): Promise<{ expired: number; pruned: number }>;
  close(): Promise<void>;
}

export interface SegmentSource extends SegmentContent {
  path: string;
}

/** A request to make an index of segments. */
export interface BuildRequest {
  /** An existing empty directory; the new generation is made in it, complete and synced when the promise resolves. */
  directory: string;
  segments: SegmentSource[];
  /** Versions above it are left out; prunes are applied whatever it is. Absent: everything. */
  targetTimeMicros?: number;
  identity: IndexIdentity;
  signal: AbortSignal;
  onProgress?: (stage: "loading" | "indexing" | "checking", rows: number) => void;
}

export interface BuildResult {
  documents: number;
  versions: number;
  positionMicros: number;
}

export interface EngineOptions {
  /** False: nothing is synced; for an index that need not outlive the process. */
  durable: boolean;
  /** Update times go on above this one, whatever the log says. */
  floorMicros: number;
  nowMicros: () => number;
  /** Versions of one document beyond this count that are older than historyMicros are pruned. */
  retainedVersions: number;
  historyMicros: number;
}

/** What an engine can do without an open index; work on files from outside runs in a process of its own. */
export interface EngineKit {
  /** A new empty index in an existing empty directory. */
  create(directory: string, identity: IndexIdentity): Promise<void>;
  /** Refuses a newer format (FORMAT_TOO_NEW) and a damaged index (INDEX_DAMAGED). */
  open(directory: string, options: EngineOptions): Promise<Engine>;
  /** Gives a closed index a new lineage. */
  rename(directory: string, identity: IndexIdentity): Promise<void>;
  /** The identity and position of a closed index. */
  identify(directory: string): Promise<IndexIdentity & { positionMicros: number }>;
  build(request: BuildRequest): Promise<BuildResult>;
  checkSegments(segments: SegmentSource[], signal: AbortSignal, onProgress?: (rows: number) => void): Promise<void>;
}
