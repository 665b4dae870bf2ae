import type { Action, DocumentVersion, DocumentWrite } from "../document/document.js";
import type { Filter, OrderBy } from "../document/filter.js";

/**
 * What stands between the host and a storage engine. Nothing above this interface may assume SQLite. All times are
 * microseconds since 1970 as exact integers below 2^53; all sizes are bytes. Every method rejects with HostError.
 */

/** One page of a listing. */
export interface PageQuery {
  /** Only links that begin with this, for example "/core/examples/"; empty: the whole index. */
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
  /** Every version that is kept, also of what is deleted, and not the latest of each document alone. */
  allVersions?: boolean;
  /** Whether bodies are wanted; without, `body` is empty. */
  expand: boolean;
  /**
   * The state as of this time; the first page fixes it to the log's position and its cursor carries it on. Versions of
   * then that were pruned, before or in the middle of a listing: TARGET_TIME_OUT_OF_RANGE. With allVersions, those that
   * are kept.
   */
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
export interface RowId {
  timeMicros: number;
  link: string;
  version: number;
  /** The checksum of the row. */
  crc: number;
}

export interface IndexState extends IndexIdentity {
  formatVersion: number;
  /** The time of the last change in the log: a version or a compaction. 0 for an empty log. */
  positionMicros: number;
  /** Documents whose latest version is not deleted. */
  documents: number;
  versions: number;
  sizeBytes: number;
  window: RestorableWindow;
  /** The last version in the log, where there is one. */
  lastRecord?: RowId;
}

/** A version as the log has it. */
export interface LogEntry {
  timeMicros: number;
  link: string;
  version: number;
  action: Action;
  kind: string;
}

/** What was written next to a time. */
export interface LogAround {
  /** At the time or before it, the newest first. */
  before: LogEntry[];
  /** After it, the oldest first. */
  after: LogEntry[];
  /** How many versions there are after it. */
  afterCount: number;
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
  /** The log rows and prunes in (afterMicros, upToMicros]; 0 for a base. */
  afterMicros: number;
  /** Absent: the snapshot's position. */
  upToMicros?: number;
  /** Copied beside exports that are not in the background, and does not hold them up. */
  background?: boolean;
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

/** Runs a slice of a long read when its turn has come. */
export type Turn = <T>(slice: () => Promise<T>) => Promise<T>;

/** Reading and writing documents of one index. */
export interface DocumentStore {
  /** Durable when it resolves. Undefined: a DELETE of what is already deleted. */
  write(write: DocumentWrite): Promise<DocumentVersion | undefined>;
  /**
   * The latest version, a deleted one too, or the version asked for, or the latest one at or before a time:
   * TARGET_TIME_OUT_OF_RANGE where that one was pruned.
   */
  read(
    link: string,
    at?: { version?: number; atMicros?: number },
  ): Promise<DocumentVersion | undefined>;
  page(query: PageQuery, signal?: AbortSignal, turn?: Turn): Promise<Page>;
  count(
    query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">,
    signal?: AbortSignal,
    turn?: Turn,
  ): Promise<number>;
  /** Versions of one link, newest first, below `beforeVersion` where given; ends early at limits.pageBytes of bodies. */
  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]>;
  state(): Promise<IndexState>;
}

/** The newest documents of a kind that comes all the time; each has one version, and older ones go without a trace. */
export interface TraceBuffer extends DocumentStore {
  /** Their update times are made to rise; the link of each is made of its time. */
  append(documents: Omit<DocumentVersion, "link" | "version" | "action">[]): Promise<void>;
  close(): Promise<void>;
}

export interface TraceBufferOptions {
  /** Links begin with it and a slash. */
  link: string;
  maxDocuments: number;
  /** Older ones go too. */
  maxAgeMicros: number;
  nowMicros: () => number;
}

export interface SweepResult {
  /** Versions written and removed. */
  expired: number;
  pruned: number;
  /** Links of documents that would have expired, and whose checksum is wrong: they were left as they are, once for each start. */
  damaged: string[];
}

/** What a check of a live index read and counted. */
export interface IndexCheck {
  records: number;
  bytes: number;
  documents: number;
  versions: number;
}

/** One open generation of an index. */
export interface Engine extends DocumentStore {
  /** Pins the log at its present position; pruning waits until it is released. */
  snapshot(): Promise<Snapshot>;
  exportSegment(request: ExportRequest): Promise<SegmentContent>;
  /**
   * Reads a segment of our own back: digest, size, counts and the checksum of each row must agree, else INDEX_DAMAGED. Of a base,
   * what a restore of it gives, since all of it is there: versions that grow with time, none twice.
   */
  readBack(
    segment: SegmentSource,
    signal: AbortSignal,
    background?: boolean,
  ): Promise<ChainContent | undefined>;
  /** Checks all of the index while it is in use: its key indexes, each version, the counts. INDEX_DAMAGED names what is wrong. */
  check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck>;
  /** Whether it had been closed in good order before it was opened: after a kill or a power cut it has not. */
  readonly wasClosed: boolean;
  /**
   * Whether the log holds this very row, or has pruned it: only then is what ends with it a part of this history, and not
   * of another that a copied data directory has gone on to.
   */
  holds(mark: RowId): Promise<boolean>;
  /** At most `count` versions on either side of a time. */
  around(timeMicros: number, count: number): Promise<LogAround>;
  /** Turns documents past their expiry into deleted ones and prunes. */
  sweep(): Promise<SweepResult>;
  close(): Promise<void>;
}

export interface SegmentSource extends SegmentContent {
  path: string;
}

/** What the segments of a backup hold together: what a restore of all of it gives. Times in microseconds, 0 for none. */
export interface ChainContent {
  documents: number;
  versions: number;
  /** The first version that is kept. */
  firstMicros: number;
  /** Moments before it are lost for some document. */
  prunedUntilMicros: number;
  /** The first version that was pruned. */
  prunedSinceMicros: number;
}

/** What a sample of segments read. */
export interface Sampled {
  records: number;
  /** Of text: what the checksums are over. */
  bytes: number;
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
  minTimeMicros: number;
  nowMicros: () => number;
  /** Versions of one document beyond this count that are older than historyMicros are pruned. */
  retainedVersions: number;
  historyMicros: number;
}

/** Versions of documents from elsewhere, gathered in a file of their own until they become a segment. Its calls block. */
export interface Staging {
  /** Takes those that it does not have; with `latestOnly` one of each link, and none of what is deleted. How many it took. */
  add(versions: readonly DocumentVersion[], latestOnly: boolean): number;
  /** What was noted under a name, over a restart too. */
  note(name: string): string | undefined;
  setNote(name: string, value: string): void;
  /** Versions of links with the prefix. */
  count(linkPrefix: string): number;
  /** What one side of a comparison holds. */
  readonly proof: Proof;
  /** Writes all of it into a new file as a base; complete and synced when it returns. */
  writeBase(path: string): StagedBase;
  close(): void;
}

/** Compares what two sides hold, version by version, whatever order they tell it in. */
export interface Proof {
  clear(): void;
  add(side: string, versions: readonly DocumentVersion[]): void;
  /** Of links with the prefix: how many links and versions, and a digest (SHA-256, hex) of all in the order of links and versions. */
  sum(side: string, linkPrefix: string): ProofSum;
  /** Versions that one side has and the other has not, or has otherwise. */
  differences(left: string, right: string, limit: number): { link: string; version: number }[];
}

export interface ProofSum {
  /** Of documents, deleted ones too where their versions are compared. */
  links: number;
  versions: number;
  digest: string;
}

export interface StagedBase {
  content: SegmentContent;
  documents: number;
  versions: number;
  window: RestorableWindow;
  lastRecord?: RowId;
  /** Versions whose time was taken: they got the next free one. */
  movedTimes: number;
}

/** A storage engine: makes, opens and builds indexes. */
export interface StorageEngine {
  /** A new empty index in an existing empty directory. */
  create(directory: string, identity: IndexIdentity): Promise<void>;
  /** Refuses a newer format (FORMAT_TOO_NEW) and a damaged index (INDEX_DAMAGED). */
  open(directory: string, options: EngineOptions): Promise<Engine>;
  /** Gives a closed index a new lineage. */
  rename(directory: string, identity: IndexIdentity): Promise<void>;
  /** The identity and position of a closed index. */
  identify(directory: string): Promise<IndexIdentity & { positionMicros: number }>;
  build(request: BuildRequest): Promise<BuildResult>;
}
