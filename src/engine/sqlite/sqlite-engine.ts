import { existsSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { DocumentCache } from "../document-cache.js";
import type { Activity, ActivityQuery } from "../activity.js";
import { limits } from "../../limits.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import { toVersion, type LogRow } from "../../segment/row.js";
import type { DocumentVersion, DocumentWrite } from "../../document/document.js";
import type {
  ChainContent,
  Engine,
  EngineOptions,
  ExportRequest,
  IndexCheck,
  IndexState,
  LogAround,
  ReadBackOptions,
  RowId,
  SegmentContent,
  SegmentSource,
  Snapshot,
  SweepResult,
} from "../engine.js";
import type { ExportTask } from "./export.js";
import type { ReaderAnswer, ReaderCall } from "./reader.js";
import { SegmentCopiers } from "../copy/segment-copiers.js";
import { createWriteQueue, type WriteOutcome, type WriteQueue } from "../write-queue.js";
import { checkInProcess } from "./run-build.js";
import { databaseName } from "./schema.js";
import { readQueueFull, restoring } from "../engine-errors.js";
import { createStoreReads, type StoreReads } from "./store-reads.js";
import type { WriterOptions } from "./writer.js";
import type { WriterAnswer, WriterCall } from "./writer-worker.js";

type WriterClient = WorkerClient<WriterCall, WriterAnswer>;
type ReaderClient = WorkerClient<ReaderCall, ReaderAnswer>;

/** How one generation behaves once it is open. */
export interface SqliteEngineOptions extends EngineOptions {
  /** Names the index in errors. */
  link: string;
  /** Update times continue above it, whatever the log contains. */
  minTimeMicros: number;
}

/**
 * One open database. A thread writes, one reads single documents, and one, started when first used, scans.
 */
export class SqliteEngine implements Engine {
  readonly page: StoreReads["page"];
  readonly count: StoreReads["count"];
  readonly read: StoreReads["read"];
  readonly versions: StoreReads["versions"];
  readonly state: StoreReads["state"];

  private readonly writes: WriteQueue<LogRow>;
  private readonly cache: DocumentCache | undefined;
  private readonly copiers: SegmentCopiers<ExportTask>;
  private scanner: Promise<ReaderClient> | undefined;
  private pins = 0;
  private reads = 0;
  private fenced = false;
  /** Writes and sweeps under way, which a fence waits for. */
  private changes = 0;
  private changesDone: (() => void) | undefined;

  private constructor(
    private readonly path: string,
    private readonly options: SqliteEngineOptions,
    private readonly writer: WriterClient,
    private readonly reader: ReaderClient,
    readonly wasClosed: boolean,
  ) {
    this.copiers = new SegmentCopiers("engine/sqlite/copy-worker", path);
    this.writes = createWriteQueue(
      (writes) =>
        writer.call({ kind: "commit", nowMicros: options.nowMicros(), writes }) as Promise<
          WriteOutcome<LogRow>[]
        >,
    );
    const { page, count, read, versions, state } = createStoreReads({
      read: (call) => this.ask(reader, call),
      scan: (call) => this.scan(call),
      nowMicros: options.nowMicros,
    });
    this.page = page;
    this.count = count;
    // Only the index of the host itself: the others are small, or are read for a short time.
    this.cache = options.durable ? new DocumentCache() : undefined;
    const { cache } = this;
    this.read = cache
      ? async (link, at) => (at ? read(link, at) : cache.read(link, () => read(link)))
      : read;
    this.versions = versions;
    this.state = state;
  }

  /** Opens the index in a directory. INDEX_DAMAGED, FORMAT_TOO_NEW. */
  static async open(directory: string, options: SqliteEngineOptions): Promise<SqliteEngine> {
    const path = join(directory, databaseName);
    if (!existsSync(path)) {
      throw new HostError(
        "INDEX_DAMAGED",
        `The index ${path} is missing. Put it back, or restore a backup into a new data directory.`,
      );
    }
    // The last connection to close folds the write-ahead log back into the database and removes it.
    const wasClosed = !existsSync(`${path}-wal`);
    const { durable, minTimeMicros } = options;
    const writer = await startWorker<WriterCall, WriterAnswer>(
      "engine/sqlite/writer-worker",
      { path, durable, minTimeMicros } satisfies WriterOptions,
      (cause) =>
        new HostError(
          "OUTCOME_UNKNOWN",
          `The thread that writes ${path} ended: writes under way may or may not have been stored. Restart the host and read them.`,
          { cause },
        ),
    );
    try {
      return new SqliteEngine(path, options, writer, await startReader(path), wasClosed);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  peek(link: string): DocumentVersion | undefined {
    return this.cache?.peek(link);
  }

  async write(write: DocumentWrite): Promise<DocumentVersion | undefined> {
    if (this.fenced) throw restoring(this.options.link);
    this.changes += 1;
    try {
      return await (this.cache
        ? this.cache.write(write.link, () => this.store(write))
        : this.store(write));
    } finally {
      this.endChange();
    }
  }

  private async store(write: DocumentWrite): Promise<DocumentVersion | undefined> {
    const outcome = await this.writes.add(write);
    if ("error" in outcome) throw HostError.fromRecord(outcome.error);
    return "row" in outcome ? toVersion(outcome.row) : undefined;
  }

  async contains(row: RowId): Promise<boolean> {
    return (await this.ask(this.reader, { kind: "contains", row })) as boolean;
  }

  async activity(query: ActivityQuery): Promise<Activity> {
    return (await this.scan({ kind: "activity", query })) as Activity;
  }

  async around(timeMicros: number, count: number): Promise<LogAround> {
    return (await this.scan({ kind: "around", timeMicros, count })) as LogAround;
  }

  async snapshot(): Promise<Snapshot> {
    // Pinned before the position is read, so that no compaction runs in between; later writes get later times.
    this.pins += 1;
    try {
      const { wallTimeMicros } = (await this.writer.call({
        kind: "pin",
        nowMicros: this.options.nowMicros(),
      })) as { wallTimeMicros: number };
      const at = (await this.ask(this.reader, {
        kind: "state",
        nowMicros: wallTimeMicros,
      })) as IndexState;
      return {
        ...at,
        wallTimeMicros: Math.max(wallTimeMicros, at.positionMicros),
        release: once(() => (this.pins -= 1)),
      };
    } catch (error) {
      this.pins -= 1;
      throw error;
    }
  }

  async exportSegment(request: ExportRequest): Promise<SegmentContent> {
    const { snapshot, kind, afterMicros, upToMicros, background, path, signal } = request;
    const task = {
      kind,
      indexPath: this.path,
      path,
      firstMicros: afterMicros,
      lastMicros: upToMicros ?? snapshot.positionMicros,
    };
    return this.copiers.export(task, { background, signal, onProgress: request.onProgress });
  }

  readBack(segment: SegmentSource, options: ReadBackOptions): Promise<ChainContent | undefined> {
    return this.copiers.readBack(segment, options);
  }

  check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck> {
    return checkInProcess(this.path, signal, onProgress);
  }

  async sweep(): Promise<SweepResult> {
    if (this.fenced) return { expired: 0, compacted: 0, damaged: [] };
    const { retainedVersions, historyMicros, nowMicros } = this.options;
    const options = { mayCompact: this.pins === 0, retainedVersions, historyMicros };
    this.changes += 1;
    try {
      const call = { kind: "sweep" as const, nowMicros: nowMicros(), options };
      return (await this.writer.call(call)) as SweepResult;
    } finally {
      this.endChange();
    }
  }

  async fence(): Promise<{ positionMicros: number; lastTimeMicros: number }> {
    this.fenced = true;
    if (this.changes > 0) await new Promise<void>((resolve) => (this.changesDone = resolve));
    const { positionMicros } = await this.state();
    const { minTimeMicros, nowMicros } = this.options;
    return { positionMicros, lastTimeMicros: Math.max(positionMicros, minTimeMicros, nowMicros()) };
  }

  unfence(): void {
    this.fenced = false;
  }

  async close(): Promise<void> {
    await this.writes.drained();
    await this.copiers.close();
    await Promise.all([this.reader.close(), this.scanner?.then((scanner) => scanner.close())]);
    // Last: the last connection to close folds the write-ahead log back into the database.
    await this.writer.close();
  }

  private async scan(call: ReaderCall): Promise<ReaderAnswer> {
    return this.ask((this.scanner ??= startReader(this.path)), call);
  }

  private async ask(
    client: ReaderClient | Promise<ReaderClient>,
    call: ReaderCall,
  ): Promise<ReaderAnswer> {
    if (this.reads >= limits.readQueue) throw readQueueFull(this.options.link);
    this.reads += 1;
    try {
      return await (await client).call(call);
    } finally {
      this.reads -= 1;
    }
  }

  private endChange(): void {
    this.changes -= 1;
    if (this.changes === 0) this.changesDone?.();
  }
}

function startReader(path: string): Promise<ReaderClient> {
  return startWorker<ReaderCall, ReaderAnswer>(
    "engine/sqlite/reader-worker",
    { path },
    (cause) =>
      new HostError("INDEX_CLOSED", `The index ${path} was closed during the read. Read again.`, {
        cause,
      }),
    { maxYoungGenerationSizeMb: limits.readerYoungGenerationMiB },
  );
}

function once(action: () => void): () => Promise<void> {
  let done = false;
  return async () => {
    if (!done) action();
    done = true;
  };
}
