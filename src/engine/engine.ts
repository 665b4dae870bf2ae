import type { Action, DocumentVersion, DocumentWrite } from "../document/document.js";
import type { Filter, OrderBy } from "../document/filter.js";
import type { Activity, ActivityQuery } from "./activity.js";
import type { FileSystem } from "../io/file-system.js";

/**
 * The contract between the host and a storage engine. Nothing above it may assume SQLite, a directory, or that this
 * process is the only one that uses the index. Times are microseconds since 1970 as exact integers below 2^53; sizes
 * are bytes. Every method rejects with HostError.
 *
 * Guarantees that every engine gives, however many hosts share the index:
 * - A write is durable when its promise resolves, and every later read on any host sees it.
 * - Update times rise strictly: each is greater than that of every version written before, on any host and across
 *   restarts, restores and changes of the clock.
 * - Exactly one generation of an index is live. A switch takes effect at one instant for all hosts: no write is
 *   acknowledged in the old generation after it, and no read that begins after it sees the old one.
 * - A pinned snapshot keeps every row at or below its position until it is released, or until its host has ended.
 * - A call whose outcome the engine cannot determine rejects with OUTCOME_UNKNOWN, and never with another reason.
 */

/** One page of a listing. */
export interface PageQuery {
  /** Selects links that begin with it, for example "/core/examples/"; empty: the whole index. */
  linkPrefix: string;
  kind?: string;
  filter?: Filter;
  orderBy?: OrderBy[];
  /** Greatest number of documents. A page also ends at `pageBytes` of bodies, by default limits.pageBytes. */
  limit: number;
  pageBytes?: number;
  /** Cursor of the previous page. */
  cursor?: string;
  includeDeleted?: boolean;
  /** Lists every kept version, those of deleted documents included, instead of the latest of each document. */
  allVersions?: boolean;
  /** Returns bodies; otherwise `body` is empty. */
  expand: boolean;
  /**
   * Lists the state at this point in time. The first page fixes it, by default to the position of the log, and the
   * cursor carries it. TARGET_TIME_OUT_OF_RANGE if compaction removed versions of that time, before or during the
   * listing; with `allVersions` the kept ones are listed.
   */
  atMicros?: number;
}

export interface Page {
  documents: DocumentVersion[];
  /** Present if more documents may follow. */
  cursor?: string;
}

/** Points in time that a restore can target, both ends included. */
export interface RestorableWindow {
  earliestMicros: number;
  latestMicros: number;
  /** Link whose compacted versions bound the earliest time; absent if none does. */
  boundingLink?: string;
  /** Time of the first version ever written, compacted ones included; the index was empty before. 0: no version yet. */
  historyStartMicros: number;
}

/** A history that an index continued by a restore. */
export interface LineageParent {
  indexId: string;
  lineage: string;
  /** Position in the parent's log at which the child begins. */
  positionMicros: number;
}

/** Identifies the history of an index. */
export interface IndexIdentity {
  /** Belongs to the storage of the index; a restore never changes it. */
  indexId: string;
  lineage: string;
  /** Oldest first. */
  parents: LineageParent[];
}

/** Identifies one row of the log. */
export interface RowId {
  timeMicros: number;
  link: string;
  version: number;
  /** Checksum of the row. */
  crc: number;
}

/** Identity, position and counts of an index. */
export interface IndexState extends IndexIdentity {
  formatVersion: number;
  /** Time of the last change in the log: a version or a compaction. 0 for an empty log. */
  positionMicros: number;
  /** Documents that are not deleted. */
  documents: number;
  versions: number;
  sizeBytes: number;
  window: RestorableWindow;
  /** Last version in the log; absent for an empty log. */
  lastRecord?: RowId;
}

/** A version as the log lists it, without its body. */
export interface LogEntry {
  timeMicros: number;
  link: string;
  version: number;
  action: Action;
  kind: string;
}

/** Versions written around a point in time. */
export interface LogAround {
  /** At or before the point in time, newest first. */
  before: LogEntry[];
  /** After the point in time, oldest first. */
  after: LogEntry[];
  /** Number of all versions after the point in time. */
  afterCount: number;
}

/** A pinned position of the log: rows at or below it do not change until it is released. */
export interface Snapshot extends IndexState {
  /** Wall time of the snapshot, at least its position: the end of the restorable window. */
  wallTimeMicros: number;
  /** Releases the pin; later calls do nothing. */
  release(): Promise<void>;
}

/** Writes a part of the log into a segment file. */
export interface ExportRequest {
  snapshot: Snapshot;
  kind: "base" | "delta";
  /** Selects the log rows and compactions in (afterMicros, upToMicros]; 0 for a base. */
  afterMicros: number;
  /** Default: the position of the snapshot. */
  upToMicros?: number;
  /** Runs beside exports that are not in the background, without delaying them. Default: false. */
  background?: boolean;
  /** New file in an existing directory, complete and synced when the promise resolves. */
  path: string;
  signal: AbortSignal;
  onProgress?: (rows: number) => void;
}

/** Content of a segment: the log rows in (firstMicros, lastMicros], as counted while it was written. */
export interface SegmentContent {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
  records: number;
  /** Compactions: each names a link and the version up to which it was compacted. */
  prunes: number;
  sizeBytes: number;
  sha256: string;
}

/** Runs one slice of a long read when the scheduler grants it a slot. */
export type RunInSlot = <T>(slice: () => Promise<T>) => Promise<T>;

/** Reads the documents of one index. */
export interface DocumentReader {
  /**
   * Returns the latest version, which may be a deletion; or the given version; or the latest one at or before a point
   * in time (TARGET_TIME_OUT_OF_RANGE if that one was compacted). Undefined: no such version.
   */
  read(
    link: string,
    at?: { version?: number; atMicros?: number },
  ): Promise<DocumentVersion | undefined>;
  /** The latest version if it is in memory, as `read` returns it, without waiting. Absent: none is kept there. */
  peek?(link: string): DocumentVersion | undefined;
  page(query: PageQuery, signal?: AbortSignal, slot?: RunInSlot): Promise<Page>;
  count(
    query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">,
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<number>;
  /** Lists versions of one link, newest first, below `beforeVersion` if given; ends early at limits.pageBytes of bodies. */
  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]>;
  state(): Promise<IndexState>;
}

/** Reads and writes the documents of one index. */
export interface DocumentStore extends DocumentReader {
  /** Writes one version, durable when the promise resolves. Undefined: a DELETE of a deleted document, which changes nothing. */
  write(write: DocumentWrite): Promise<DocumentVersion | undefined>;
}

/** Keeps the newest documents of a constant stream; each has one version, and the oldest are dropped without a deletion. */
export interface TraceBuffer extends DocumentStore {
  /** Appends documents with rising update times; the link of each is derived from its time. */
  append(documents: Omit<DocumentVersion, "link" | "version" | "action">[]): Promise<void>;
  close(): Promise<void>;
}

/** Bounds of a trace buffer. */
export interface TraceBufferOptions {
  /** Prefix of the links, without the slash that follows. */
  link: string;
  maxDocuments: number;
  /** Older documents are dropped. */
  maxAgeMicros: number;
  nowMicros: () => number;
}

/** Result of one step of expiry and compaction. */
export interface SweepResult {
  /** Documents deleted because their expiry time passed. */
  expired: number;
  /** Versions removed from the history. */
  compacted: number;
  /** Links of documents that are due to expire and fail their checksum. They stay as they are; each is reported once per start. */
  damaged: string[];
}

/** Counts of a check of a live index. */
export interface IndexCheck {
  records: number;
  bytes: number;
  documents: number;
  versions: number;
}

/** How a segment is read back. */
export interface ReadBackOptions {
  /** For the order of the versions of a large base, at 32 bytes each. */
  temporaryDirectory: string;
  /** Runs beside what is not in the background, without delaying it. */
  background?: boolean;
  signal: AbortSignal;
}

/** One open generation of an index. */
export interface Engine extends DocumentStore {
  /** Pins the log at its present position; compaction waits until the pin is released. */
  snapshot(): Promise<Snapshot>;
  exportSegment(request: ExportRequest): Promise<SegmentContent>;
  /**
   * Verifies a segment that this engine exported: digest, size, counts and the checksum of each row must agree, else
   * INDEX_DAMAGED. Returns for a base what a restore of it yields, after checking that versions rise with time and
   * none occurs twice.
   */
  readBack(segment: SegmentSource, options: ReadBackOptions): Promise<ChainContent | undefined>;
  /** Checks the whole index while it is in use: its key indexes, each version, the counts. INDEX_DAMAGED names the damage. */
  check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck>;
  /** Whether the index had been closed properly before it was opened; false after a kill or a power failure. */
  readonly wasClosed: boolean;
  /**
   * Whether the log contains exactly this row, or has compacted it. Only then does a chain that ends with the row belong
   * to this history, and not to one that a copy of the data continued.
   */
  contains(row: RowId): Promise<boolean>;
  /** Lists at most `count` versions on either side of a point in time. */
  around(timeMicros: number, count: number): Promise<LogAround>;
  /** Counts the versions over time. */
  activity(query: ActivityQuery): Promise<Activity>;
  /** Deletes expired documents and compacts the history, in one bounded step. Does nothing while fenced. */
  sweep(): Promise<SweepResult>;
  /**
   * Refuses writes on every host from now on (INDEX_RESTORING) and waits for those under way. Resolves with the
   * greatest update time assigned: a generation that replaces this one continues above it.
   */
  fence(): Promise<{ positionMicros: number; lastTimeMicros: number }>;
  /** Accepts writes again. */
  unfence(): void;
  /** The lineage of the live generation at the last call. Absent: no other host can switch the index. */
  lineage?(): string;
  /** Rises with each change of the index by any host. Absent: no other host can change it. */
  lastChange?(): Promise<number>;
  /** Waits for calls in progress, then closes. */
  close(): Promise<void>;
}

/** A segment as a file of this machine, with the content it must have. */
export interface SegmentSource extends SegmentContent {
  path: string;
}

/** Content of the segments of a backup together: what a restore of all of them yields. Times in microseconds, 0 for none. */
export interface ChainContent {
  documents: number;
  versions: number;
  /** Time of the first kept version. */
  firstMicros: number;
  /** Points in time before it are lost for some document. */
  prunedUntilMicros: number;
  /** Time of the first compacted version. */
  prunedSinceMicros: number;
}

/** Builds an index from segments. */
export interface BuildRequest {
  /** In the order of the chain, the base first. BACKUP_DAMAGED if one disagrees with its description. */
  segments: SegmentSource[];
  /** Leaves out versions above it; compactions always apply. Default: all versions. */
  targetTimeMicros?: number;
  identity: IndexIdentity;
  signal: AbortSignal;
  onProgress?: (stage: "loading" | "indexing" | "checking", rows: number) => void;
}

/** Counts of an index that was built. */
export interface BuildResult {
  documents: number;
  versions: number;
  positionMicros: number;
}

/** How an index behaves once it is open. */
export interface EngineOptions {
  /** False: writes are not synced; for an index that need not outlive the process. */
  durable: boolean;
  nowMicros: () => number;
  /** Compaction removes versions of one document beyond this count that are older than `historyMicros`. */
  retainedVersions: number;
  historyMicros: number;
}

/** Names one generation of an index. Opaque: only the engine that created it can interpret it. */
export type GenerationRef = string & { readonly generationRef: unique symbol };

/** A generation that is not live, with its identity and position. */
export interface StoredGeneration extends IndexIdentity {
  ref: GenerationRef;
  positionMicros: number;
}

/** The generations of one index: the live one, the one before the last restore, and those under construction. */
export interface IndexStorage {
  /** Stays the same over every restore. */
  readonly indexId: string;
  /** Opens the live generation. */
  openLive(): Promise<Engine>;
  /**
   * Removes generations that interrupted restores left. Call it once the live generation has opened: only that shows
   * that the record of the live generation is valid. INDEX_DAMAGED if a generation became live after that record.
   */
  removeLeftovers(): Promise<void>;
  /** Builds a new generation beside the live one: complete, checked and durable when the promise resolves. Leaves nothing if it rejects. */
  build(request: BuildRequest): Promise<BuildResult & { ref: GenerationRef }>;
  /** Returns the generation that the last switch replaced; undefined if an undo has no target. */
  previous(): Promise<StoredGeneration | undefined>;
  /** Gives a generation that is not live a new identity. */
  relabel(ref: GenerationRef, identity: IndexIdentity): Promise<void>;
  /**
   * Makes a generation the live one, atomically and durably, and returns it open. The live generation must be fenced;
   * update times continue above `minTimeMicros`. The replaced generation stays for one undo. If it rejects, the old
   * generation is live, except with OUTCOME_UNKNOWN, after which only a restart of the host can tell.
   */
  switchTo(ref: GenerationRef, minTimeMicros: number): Promise<Engine>;
  /** Removes a generation that was built and never became live. */
  discard(ref: GenerationRef): Promise<void>;
  /** Removes the generations that switches replaced, except the previous one. Call it when their readers have ended. */
  discardReplaced(): Promise<void>;
}

/** Opens an index. */
export interface OpenIndexOptions extends EngineOptions {
  /** Link of the index, for example /core/document-index. */
  link: string;
  /** Identity of a new index; default: a random one. */
  indexId?: string;
  /** Receives failures that no caller waits for. */
  onBackgroundError: (error: unknown) => void;
}

/** An index that exists until it is closed. */
export interface TemporaryIndex extends BuildResult {
  engine: Engine;
  /** Closes the index and removes it. */
  close(): Promise<void>;
}

/** How other hosts reach a host: HOST:PORT of both ports, and whether they speak TLS. Empty: not open yet. */
export interface MemberAddresses {
  http: string;
  grpc: string;
  tls: boolean;
}

/** A host of a deployment, as the others see it. */
export interface Member {
  id: string;
  addresses: MemberAddresses;
  /** Release of the host. */
  version: string;
  startTimeMicros: number;
  /** For how long it has shown no sign of life. */
  lastSeenMicros: number;
  /** False: it has vanished. */
  isAlive: boolean;
  isLeader: boolean;
}

/** The lead of one host from its beginning to its end. */
export interface Lease {
  /** Greater than every earlier one of any host. */
  term: number;
  /** The run of the host. */
  run: string;
}

/**
 * The hosts that share the indexes of an engine. One of them leads: it alone backs up, restores, schedules and
 * compacts, and keeps the records of that. If it vanishes, another one leads within limits.databaseLeaseMs.
 */
export interface Membership {
  /** The term in which this host leads; undefined while another one may. */
  term(): number | undefined;
  /** The lease of that term. */
  lease(): Lease | undefined;
  /** Leaves the lead to other hosts for limits.leaderStandBackMs. */
  standBack(): Promise<void>;
  /** The leader as last seen; undefined if there was none. */
  leader(): Member | undefined;
  /** The hosts as last seen, this one and those that vanished lately included. */
  members(): readonly Member[];
  /** Tells the other hosts how to reach this one. */
  announce(addresses: MemberAddresses): Promise<void>;
  /** Calls a listener, the only one, after each change of the term. */
  onChange(listener: () => void): void;
}

/** Facts of the database of an engine, for operators. */
export interface DatabaseStatus {
  /** Release of the server. */
  version: string;
  /** Whether a commit waits for a standby, so that the loss of the primary loses no acknowledged write. */
  isSynchronous: boolean;
  /** The standbys that are connected to the primary. */
  standbys: {
    name: string;
    /** "sync", "quorum", "potential" or "async". */
    mode: string;
    /** "streaming", "catchup" and so on. */
    state: string;
    /** Log that the standby has not flushed yet. */
    /** Absent if this user may not see it. */
    lagBytes?: number;
  }[];
}

/** An engine whose indexes several hosts share, in a database. */
export interface SharedDatabase {
  /** HOST:PORT[,HOST:PORT...]/DATABASE, without user and password. */
  readonly name: string;
  /** PostgreSQL schema of the deployment. */
  readonly schema: string;
  readonly membership: Membership;
  /**
   * Small files that the leader keeps there for its successor. When the lease has ended, changes fail with
   * LEADER_UNAVAILABLE.
   */
  stateFiles(lease: Lease): FileSystem;
  /** DATABASE_UNAVAILABLE. */
  status(): Promise<DatabaseStatus>;
}

/** A storage engine. */
export interface StorageEngine {
  /** Present once an index is open, if several hosts may share the indexes. */
  readonly shared?: SharedDatabase | undefined;
  /** Opens an index, and creates an empty one if it does not exist. FORMAT_TOO_NEW, INDEX_DAMAGED. */
  openIndex(options: OpenIndexOptions): Promise<IndexStorage>;
  /** Builds a temporary index from segments, to read a backup. `directory` is where the engine may put files. */
  openTemporary(request: BuildRequest & { directory: string }): Promise<TemporaryIndex>;
  /** Releases what the engine itself holds. Call it when its indexes are closed. */
  close?(): Promise<void>;
}
