import type {
  DocumentStore,
  Engine,
  StorageEngine,
  EngineOptions,
  IndexCheck,
  IndexIdentity,
} from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { openGenerations } from "./generations.js";

/** One index as the host sees it: its live generation, and the means to put another in its place. */
export interface DocumentIndex extends DocumentStore {
  /** For example /core/document-index. */
  readonly link: string;
  readonly inMemory: boolean;
  /** Changes with every restore. */
  lineage(): string;
  indexId(): string;
  /** The live engine, for the length of the work: it is not closed before the work ends. */
  withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T>;
  /** Resolves when no restore is under way. */
  settled(signal: AbortSignal): Promise<void>;
  /** Claims the index for a restore: one at a time (RESTORE_IN_PROGRESS). */
  beginReplacement(): Promise<Replacement>;
  /** As of Engine. What it finds is kept as the problem of the index until a check finds nothing, or another generation is live. */
  check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck>;
  /** What the last check found wrong. */
  problem(): string | undefined;
  /** Whether the live generation had been closed in good order before it was opened. */
  wasClosed(): boolean;
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** A generation that is made beside the live one. Ends with one call of `commit`, `undo` or `abandon`. */
export interface Replacement {
  directory: string;
  /**
   * Refuses writes, waits for those under way, and switches to the generation made in `directory`: durable and serving
   * when it resolves. INDEX_CHANGED where the index is not at the position given any more.
   */
  commit(ifPositionMicros?: number): Promise<void>;
  /** Switches back to the generation before the last restore, under a new identity. */
  undo(
    identityAfter: (previous: IndexIdentity & { positionMicros: number }) => Promise<IndexIdentity>,
  ): Promise<IndexIdentity>;
  /** Removes what was made; writes go on. */
  abandon(): Promise<void>;
}

export interface DocumentIndexOptions {
  link: string;
  inMemory: boolean;
  directory: string;
  /** The id of an index whose directory does not outlive the process; others get a random one that is kept. */
  indexId?: string;
  engine: Omit<EngineOptions, "minTimeMicros">;
  /** Hears that something was written: once for what is acknowledged together, and after a switch. */
  onCommit?: () => void;
  /** Called for failures after a request was answered. */
  onBackgroundError: (error: unknown) => void;
}

interface PromiseWithResolvers {
  promise: Promise<void>;
  resolve: () => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

interface Live {
  engine: Engine;
  lineage: string;
  problem?: string | undefined;
  users: number;
  idle: (() => void) | undefined;
}

export async function openDocumentIndex(
  platform: Platform,
  storageEngine: StorageEngine,
  options: DocumentIndexOptions,
): Promise<DocumentIndex> {
  const generations = await openGenerations(
    platform,
    storageEngine,
    options.directory,
    options.onBackgroundError,
    options.indexId,
  );
  let live = await open(generations.pointer().current, generations.pointer().minTimeMicros);
  await generations.cleanUp().catch(async (error: unknown) => {
    await live.engine.close();
    throw error;
  });
  /** Generations that are no longer live, one after the other, as their last readers leave. */
  let retirement: Promise<void> = Promise.resolve();
  let fenced = false;
  /** Pending while a restore is under way. */
  let replacing: PromiseWithResolvers | undefined;
  let closed = false;
  let writes = 0;
  let writesDone: (() => void) | undefined;
  let commitTold = false;

  /** Writes of one transaction are acknowledged in one turn of the event loop. */
  function tellCommit(): void {
    if (commitTold || options.onCommit === undefined) return;
    commitTold = true;
    setImmediate(() => {
      commitTold = false;
      options.onCommit?.();
    });
  }

  async function open(generation: string, minTimeMicros: number): Promise<Live> {
    const engine = await storageEngine.open(generations.directoryOf(generation), {
      ...options.engine,
      minTimeMicros,
    });
    const { lineage } = await engine.state();
    return { engine, lineage, users: 0, idle: undefined };
  }

  async function withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    if (closed) throw new HostError("SHUTTING_DOWN", "The host is shutting down.");
    const used = live;
    used.users += 1;
    try {
      return await work(used.engine);
    } finally {
      used.users -= 1;
      if (used.users === 0) used.idle?.();
    }
  }

  /** Waits for the users of a generation that is no longer live, then closes it. */
  async function retire(old: Live): Promise<void> {
    if (old.users > 0) await new Promise<void>((resolve) => (old.idle = resolve));
    await old.engine.close();
  }

  /** Refuses new writes and waits for those under way; returns the greatest update time handed out. */
  async function fence(): Promise<number> {
    fenced = true;
    if (writes > 0) await new Promise<void>((resolve) => (writesDone = resolve));
    const { positionMicros } = await live.engine.state();
    return Math.max(
      positionMicros,
      generations.pointer().minTimeMicros,
      options.engine.nowMicros(),
    );
  }

  /**
   * Writes are fenced. The new generation is opened before the pointer names it, so that one that cannot be opened never
   * becomes the live one; the old one finishes what it is read for in the background.
   */
  async function switchLive(generation: string, minTimeMicros: number): Promise<void> {
    const before = generations.pointer().previous;
    const old = live;
    const next = await open(generation, minTimeMicros);
    try {
      await generations.switchTo(generation, minTimeMicros);
    } catch (error) {
      await next.engine.close();
      throw error;
    }
    await platform.failpoint("restore:pointer-written");
    live = next;
    fenced = false;
    tellCommit();
    await platform.failpoint("restore:switched");
    retirement = retirement
      .then(() => retire(old))
      .then(() => (before === undefined ? undefined : generations.discard(before)))
      .catch((error: unknown) => options.onBackgroundError(error));
  }

  async function beginReplacement(): Promise<Replacement> {
    if (closed) throw new HostError("SHUTTING_DOWN", "The host is shutting down.");
    if (replacing)
      throw new HostError(
        "RESTORE_IN_PROGRESS",
        `A restore of ${options.link} is under way; wait for it or cancel it.`,
      );
    replacing = withResolvers();
    const settle = () => {
      replacing?.resolve();
      replacing = undefined;
    };
    let generation: string;
    try {
      generation = await generations.prepare();
    } catch (error) {
      settle();
      throw error;
    }
    const end = async () => {
      // A switch whose outcome is unknown leaves the index fenced until a restart tells.
      fenced = generations.uncertain();
      settle();
      await generations.discard(generation);
    };
    return {
      directory: generations.directoryOf(generation),
      async commit(ifPositionMicros) {
        const floor = await fence();
        const { positionMicros } = await live.engine.state();
        if (ifPositionMicros !== undefined && ifPositionMicros !== positionMicros) {
          throw new HostError(
            "INDEX_CHANGED",
            `${options.link} was written to meanwhile: it is at ${positionMicros}, not at ${ifPositionMicros}. Nothing was changed.`,
            {
              metadata: { positionMicros: String(positionMicros) },
            },
          );
        }
        await platform.failpoint("restore:writes-fenced");
        await switchLive(generation, floor);
        settle();
      },
      async undo(identityAfter) {
        const { previous } = generations.pointer();
        if (previous === undefined)
          throw new HostError(
            "NOTHING_TO_UNDO",
            `No restore of ${options.link} is there to be undone.`,
          );
        const directory = generations.directoryOf(previous);
        const identity = await identityAfter(await storageEngine.identify(directory));
        await storageEngine.rename(directory, identity);
        await platform.failpoint("undo:identity-written");
        const floor = await fence();
        await switchLive(previous, floor);
        await end();
        return identity;
      },
      abandon: end,
    };
  }

  return {
    link: options.link,
    inMemory: options.inMemory,
    lineage: () => live.lineage,
    indexId: () => generations.pointer().indexId,
    withEngine,
    async settled(signal) {
      const stop = withResolvers();
      const abort = () => stop.resolve();
      signal.addEventListener("abort", abort, { once: true });
      while (replacing && !signal.aborted) await Promise.race([replacing.promise, stop.promise]);
      signal.removeEventListener("abort", abort);
      signal.throwIfAborted();
    },
    beginReplacement,
    async write(write) {
      if (fenced) {
        throw new HostError(
          "INDEX_RESTORING",
          `${options.link} is being restored and takes no writes for a moment; try again.`,
          {
            metadata: { retryAfterSeconds: "1" },
          },
        );
      }
      writes += 1;
      try {
        const written = await withEngine((engine) => engine.write(write));
        if (written !== undefined) tellCommit();
        return written;
      } finally {
        writes -= 1;
        if (writes === 0) writesDone?.();
      }
    },
    read: (link, at) => withEngine((engine) => engine.read(link, at)),
    page: (query, signal, turn) => withEngine((engine) => engine.page(query, signal, turn)),
    count: (query, signal, turn) => withEngine((engine) => engine.count(query, signal, turn)),
    versions: (link, limit, before) => withEngine((engine) => engine.versions(link, limit, before)),
    state: () => withEngine((engine) => engine.state()),
    async check(signal, onProgress) {
      const checked = live;
      try {
        const result = await withEngine((engine) => engine.check(signal, onProgress));
        checked.problem = undefined;
        return result;
      } catch (error) {
        if (error instanceof HostError && error.reason === "INDEX_DAMAGED")
          checked.problem = error.message;
        throw error;
      }
    },
    problem: () => live.problem,
    wasClosed: () => live.engine.wasClosed,
    async sweep() {
      if (fenced || closed) return;
      writes += 1;
      try {
        const { expired, pruned, damaged } = await withEngine((engine) => engine.sweep());
        if (expired + pruned > 0) tellCommit();
        if (damaged.length > 0) {
          const links = damaged.slice(0, 10).join(", ");
          options.onBackgroundError(
            new HostError(
              "INDEX_DAMAGED",
              `${damaged.length} documents of ${options.link} were due to expire and were left as they are, since they do not agree with their checksums: ${links}. Restore the index from a backup.`,
            ),
          );
        }
      } finally {
        writes -= 1;
        if (writes === 0) writesDone?.();
      }
    },
    async close() {
      closed = true;
      await retire(live);
      await retirement;
    },
  };
}
