import type { DocumentVersion, DocumentWrite } from "../document/document.js";
import type {
  BuildRequest,
  BuildResult,
  DocumentStore,
  Engine,
  GenerationRef,
  IndexCheck,
  IndexIdentity,
  IndexStorage,
  OpenIndexOptions,
  StorageEngine,
} from "../engine/engine.js";
import { HostError } from "../errors.js";
import { formatTime } from "../io/time.js";
import type { Platform } from "../io/platform.js";
import { engineReads } from "./engine-reads.js";
import { HeldEngine } from "./held-engine.js";

/** A restore in preparation, beside the live generation. Ends with one call of `commit`, `undo` or `abandon`. */
export interface Replacement {
  /** Builds the generation that `commit` makes the live one: complete, checked and durable when the promise resolves. */
  build(request: BuildRequest): Promise<BuildResult>;
  /**
   * Refuses writes, waits for those under way, and switches to the generation built: durable and serving when the
   * promise resolves. INDEX_CHANGED if the position of the index is not `ifPositionMicros`.
   */
  commit(ifPositionMicros?: number): Promise<void>;
  /** Returns what `undo` would switch to. NOTHING_TO_UNDO. */
  previous(): Promise<IndexIdentity & { positionMicros: number }>;
  /** Switches back to the generation before the last restore, under a new identity. NOTHING_TO_UNDO. */
  undo(
    identityAfter: (previous: IndexIdentity & { positionMicros: number }) => Promise<IndexIdentity>,
  ): Promise<IndexIdentity>;
  /** Removes what was built; writes continue. */
  abandon(): Promise<void>;
}

/** What a write waits for beside its own durability. */
export interface WriteBarrier {
  /** Called before a write. Throws to refuse it. */
  admit(): void;
  /** Resolves when the write with this update time may be acknowledged. Throws if it may not. */
  copied(updateTimeMicros: number): Promise<void>;
}

/** How an index is opened. */
export interface DocumentIndexOptions extends OpenIndexOptions {
  inMemory: boolean;
  /** Called after writes were acknowledged, once for those acknowledged together, and after a switch. */
  onCommit?: () => void;
}

/** The live generation. */
interface Live {
  held: HeldEngine;
  lineage: string;
  /** Damage that the last check of this generation found. */
  problem?: string | undefined;
}

/** One index as the host serves it: reads and writes go to the live generation, which a restore switches. */
export class DocumentIndex implements DocumentStore {
  private readonly reads = engineReads((work) => this.withEngine(work));
  readonly read = this.reads.read;
  readonly page = this.reads.page;
  readonly count = this.reads.count;
  readonly versions = this.reads.versions;
  readonly state = this.reads.state;
  private closed = false;
  private commitReported = false;
  /** As of the last call of noticeOthers. */
  private lastChange: number | undefined;
  private readonly barriers = new Set<WriteBarrier>();
  /** Pending while a restore is under way. */
  private replacing: { promise: Promise<void>; resolve: () => void } | undefined;
  /** The retirement of replaced generations, one after another, each once its last reader has ended. */
  private retirement: Promise<void> = Promise.resolve();

  private constructor(
    private readonly platform: Platform,
    private readonly options: DocumentIndexOptions,
    private readonly storage: IndexStorage,
    private live: Live,
  ) {}

  /** Opens an index, and creates it, empty, if it does not exist. */
  static async open(
    platform: Platform,
    storageEngine: StorageEngine,
    options: DocumentIndexOptions,
  ): Promise<DocumentIndex> {
    const storage = await storageEngine.openIndex(options);
    const engine = await storage.openLive();
    try {
      const { lineage } = await engine.state();
      await storage.removeLeftovers();
      return new DocumentIndex(platform, options, storage, {
        held: new HeldEngine(engine),
        lineage,
      });
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** For example /core/document-index. */
  get link(): string {
    return this.options.link;
  }

  get inMemory(): boolean {
    return this.options.inMemory;
  }

  /** Identifies the history of documents; each restore begins a new one. */
  lineage(): string {
    return this.live.held.engine.lineage?.() ?? this.live.lineage;
  }

  indexId(): string {
    return this.storage.indexId;
  }

  /** The damage that the last check found; a later check without findings and a restore clear it. */
  problem(): string | undefined {
    return this.live.problem;
  }

  /** Whether the live generation had been closed properly before it was opened. */
  wasClosed(): boolean {
    return this.live.held.engine.wasClosed;
  }

  peek(link: string): DocumentVersion | undefined {
    return this.closed ? undefined : this.live.held.engine.peek?.(link);
  }

  async write(write: DocumentWrite): Promise<DocumentVersion | undefined> {
    for (const barrier of this.barriers) barrier.admit();
    const written = await this.withEngine((engine) => engine.write(write));
    if (written === undefined) return undefined;
    this.reportCommit();
    for (const barrier of this.barriers) await barrier.copied(written.updateTimeMicros);
    return written;
  }

  /** Holds the acknowledgement of writes until a barrier lets them pass. Returns what removes the barrier. */
  addBarrier(barrier: WriteBarrier): () => void {
    this.barriers.add(barrier);
    return () => void this.barriers.delete(barrier);
  }

  /** Runs work on the live generation, which stays open until the work ends. SHUTTING_DOWN. */
  withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.closed ? Promise.reject(shuttingDown()) : this.live.held.use(work);
  }

  /** Reports the changes of other hosts since the last call, as `onCommit` does those of this one. */
  async noticeOthers(): Promise<void> {
    if (this.closed) return;
    const last = await this.withEngine(async (engine) => engine.lastChange?.());
    if (last === this.lastChange) return;
    this.lastChange = last;
    this.reportCommit();
  }

  /** Checks the live generation as `Engine.check` does, and keeps what it finds as the problem of the index. */
  async check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck> {
    const checked = this.live;
    try {
      const result = await this.withEngine((engine) => engine.check(signal, onProgress));
      checked.problem = undefined;
      return result;
    } catch (error) {
      if (error instanceof HostError && error.reason === "INDEX_DAMAGED")
        checked.problem = error.message;
      throw error;
    }
  }

  /** Expires and compacts in one bounded step. */
  async sweep(): Promise<void> {
    if (this.closed) return;
    const { expired, compacted, damaged } = await this.withEngine((engine) => engine.sweep());
    if (expired + compacted > 0) this.reportCommit();
    if (damaged.length === 0) return;
    const links = damaged.slice(0, 10).join(", ");
    this.options.onBackgroundError(
      new HostError(
        "INDEX_DAMAGED",
        `${damaged.length} documents of ${this.link} are due to expire and fail their checksum, so they stay as they are: ${links}. Restore the index from a backup.`,
      ),
    );
  }

  /** Resolves when no restore is under way. */
  async settled(signal: AbortSignal): Promise<void> {
    const aborted = withResolvers();
    signal.addEventListener("abort", aborted.resolve, { once: true });
    while (this.replacing && !signal.aborted)
      await Promise.race([this.replacing.promise, aborted.promise]);
    signal.removeEventListener("abort", aborted.resolve);
    signal.throwIfAborted();
  }

  /** Claims the index for a restore, one at a time. RESTORE_IN_PROGRESS. */
  async beginReplacement(): Promise<Replacement> {
    if (this.closed) throw shuttingDown();
    if (this.replacing)
      throw new HostError(
        "RESTORE_IN_PROGRESS",
        `A restore of ${this.link} is under way; wait for it or cancel it.`,
      );
    this.replacing = withResolvers();
    let built: { ref: GenerationRef; lineage: string } | undefined;
    /** Stays fenced after a switch with an unknown outcome: a restart of the host determines what is live. */
    let uncertain = false;
    const switchLive = (ref: GenerationRef, minTimeMicros: number, lineage: string) =>
      this.switchLive(ref, minTimeMicros, lineage).catch((error: unknown) => {
        uncertain = error instanceof HostError && error.reason === "OUTCOME_UNKNOWN";
        throw error;
      });
    const abandon = async () => {
      // Of an index that others may switch, the storage is asked with each read.
      const { engine } = this.live.held;
      if (!uncertain || engine.lineage) engine.unfence();
      this.endReplacement();
      // Its failure must not hide why the restore ended: a restart removes what is left over.
      if (built !== undefined)
        await this.storage
          .discard(built.ref)
          .catch((error: unknown) => this.options.onBackgroundError(error));
    };
    const previous = async () => {
      const found = await this.storage.previous();
      if (found === undefined)
        throw new HostError("NOTHING_TO_UNDO", `${this.link} has no restore to undo.`);
      return found;
    };
    return {
      previous,
      build: async (request) => {
        const { ref, ...result } = await this.storage.build(request);
        built = { ref, lineage: request.identity.lineage };
        return result;
      },
      commit: async (ifPositionMicros) => {
        if (built === undefined) throw new HostError("INTERNAL", "No generation was built.");
        const { positionMicros, lastTimeMicros } = await this.live.held.engine.fence();
        if (ifPositionMicros !== undefined && ifPositionMicros !== positionMicros) {
          throw new HostError(
            "INDEX_CHANGED",
            `The last change of ${this.link} is at ${formatTime(positionMicros)}, not at ${formatTime(ifPositionMicros)}. Nothing was changed. Check the new writes, then restore without the condition or with this time.`,
            { metadata: { positionMicros: String(positionMicros) } },
          );
        }
        await this.platform.failpoint("restore:writes-fenced");
        await switchLive(built.ref, lastTimeMicros, built.lineage);
        this.endReplacement();
      },
      undo: async (identityAfter) => {
        const { ref, ...identity } = await previous();
        const next = await identityAfter(identity);
        await this.storage.relabel(ref, next);
        await this.platform.failpoint("undo:identity-written");
        const { lastTimeMicros } = await this.live.held.engine.fence();
        await switchLive(ref, lastTimeMicros, next.lineage);
        this.endReplacement();
        return next;
      },
      abandon,
    };
  }

  /** Waits for the calls under way, then closes the index. */
  async close(): Promise<void> {
    this.closed = true;
    await this.live.held.retire();
    await this.retirement;
  }

  private endReplacement(): void {
    this.replacing?.resolve();
    this.replacing = undefined;
  }

  /** Switches while writes are fenced. The replaced generation finishes its reads in the background. */
  private async switchLive(
    ref: GenerationRef,
    minTimeMicros: number,
    lineage: string,
  ): Promise<void> {
    const old = this.live;
    const engine = await this.storage.switchTo(ref, minTimeMicros);
    await this.platform.failpoint("restore:pointer-written");
    this.live = { held: new HeldEngine(engine), lineage };
    this.reportCommit();
    await this.platform.failpoint("restore:switched");
    this.retirement = this.retirement
      .then(() => old.held.retire())
      .then(() => this.storage.discardReplaced())
      .catch((error: unknown) => this.options.onBackgroundError(error));
  }

  /** Writes of one transaction are acknowledged in one turn of the event loop, and reported once after it. */
  private reportCommit(): void {
    const { onCommit } = this.options;
    if (this.commitReported || onCommit === undefined) return;
    this.commitReported = true;
    setImmediate(() => {
      this.commitReported = false;
      onCommit();
    });
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

const shuttingDown = () => new HostError("SHUTTING_DOWN", "The host is shutting down.");
