import { existsSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import { toVersion } from "../../segment/row.js";
import { rowsWorthSharing, type Half } from "../../segment/segment-file.js";
import type { DocumentVersion, DocumentWrite } from "../../document/document.js";
import type {
  ChainContent,
  Engine,
  EngineOptions,
  ExportRequest,
  IndexCheck,
  IndexState,
  LogAround,
  RowId,
  SegmentContent,
  SegmentSource,
  Snapshot,
  SweepResult,
} from "../engine.js";
import type { CopyCall } from "./copy-worker.js";
import { createCopier, type Copier } from "./copier.js";
import type { ReaderAnswer, ReaderCall } from "./reader.js";
import { checkInProcess } from "./run-build.js";
import { databaseName } from "./schema.js";
import { createStoreReads, type StoreReads } from "./store-reads.js";
import { createWriteQueue, type WriteQueue } from "./write-queue.js";
import type { WriteOutcome, WriterOptions } from "./writer.js";
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
 * One open database. A thread writes, one reads single documents, and one, started when first used, scans. Copiers
 * export and verify segments: two at once for a backup, one for the background, one for the check of a whole base.
 */
export class SqliteEngine implements Engine {
  readonly page: StoreReads["page"];
  readonly count: StoreReads["count"];
  readonly read: StoreReads["read"];
  readonly versions: StoreReads["versions"];
  readonly state: StoreReads["state"];

  private readonly writes: WriteQueue;
  private readonly copier = createCopier();
  private readonly secondCopier = createCopier();
  private readonly backgroundCopier = createCopier();
  private readonly chainCopier = createCopier();
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
    this.writes = createWriteQueue(
      (writes) =>
        writer.call({ kind: "commit", nowMicros: options.nowMicros(), writes }) as Promise<
          WriteOutcome[]
        >,
    );
    const { page, count, read, versions, state } = createStoreReads({
      read: (call) => this.ask(reader, call),
      scan: (call) => this.scan(call),
      nowMicros: options.nowMicros,
    });
    this.page = page;
    this.count = count;
    this.read = read;
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

  async write(write: DocumentWrite): Promise<DocumentVersion | undefined> {
    if (this.fenced)
      throw new HostError(
        "INDEX_RESTORING",
        `${this.options.link} is being restored and refuses writes during the switch. Try again.`,
        { metadata: { retryAfterSeconds: "1" } },
      );
    this.changes += 1;
    try {
      const outcome = await this.writes.add(write);
      if ("error" in outcome) throw HostError.fromRecord(outcome.error);
      return "row" in outcome ? toVersion(outcome.row) : undefined;
    } finally {
      this.endChange();
    }
  }

  async contains(row: RowId): Promise<boolean> {
    return (await this.ask(this.reader, { kind: "contains", row })) as boolean;
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
    return (await (background ? this.backgroundCopier : this.copier).call(
      { kind: "export", task },
      signal,
      request.onProgress,
    )) as SegmentContent;
  }

  async readBack(
    segment: SegmentSource,
    signal: AbortSignal,
    background?: boolean,
  ): Promise<ChainContent | undefined> {
    const read = (by: Copier, half?: Half) =>
      this.verify(by, { kind: "read-back", segment, ...(half && { half }) }, signal);
    // A delta is verified with a base that earlier backups verified: alone it cannot prove the counts of all versions.
    const chain = async (by: Copier) =>
      segment.kind === "base"
        ? ((await this.verify(by, { kind: "chain", segment }, signal)) as ChainContent)
        : undefined;
    if (background || segment.records < rowsWorthSharing) {
      const by = background ? this.backgroundCopier : this.copier;
      await read(by);
      return chain(by);
    }
    const parts = await Promise.allSettled([
      read(this.copier, "first"),
      read(this.secondCopier, "second"),
      chain(this.chainCopier),
    ] as const);
    for (const part of parts) if (part.status === "rejected") throw part.reason;
    return parts[2].status === "fulfilled" ? parts[2].value : undefined;
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
    const copiers = [this.copier, this.secondCopier, this.backgroundCopier, this.chainCopier];
    await Promise.all(copiers.map((copier) => copier.close()));
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
    if (this.reads >= limits.readQueue)
      throw new HostError(
        "QUEUE_FULL",
        `${limits.readQueue} reads of ${this.options.link} are queued, which is the limit. Try again in a moment.`,
      );
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

  /** Damage in a segment that was just exported comes from the index, not from a backup. */
  private async verify(by: Copier, call: CopyCall, signal: AbortSignal) {
    try {
      return await by.call(call, signal);
    } catch (error) {
      if (!(error instanceof HostError) || error.reason !== "BACKUP_DAMAGED") throw error;
      throw new HostError(
        "INDEX_DAMAGED",
        `Cannot back up ${this.path}: the exported copy fails verification, so a row, a key index or the disk is damaged. No backup was made; older backups are unchanged. ${error.message}`,
        { cause: error },
      );
    }
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
