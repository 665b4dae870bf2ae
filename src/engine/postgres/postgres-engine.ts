import type { DocumentVersion, DocumentWrite } from "../../document/document.js";
import { HostError } from "../../errors.js";
import { runInChild } from "../../io/child-process.js";
import { limits } from "../../limits.js";
import { toVersion, type LogRow } from "../../segment/row.js";
import { SegmentCopiers } from "../copy/segment-copiers.js";
import type { Activity, ActivityQuery } from "../activity.js";
import { readQueueFull, restoring } from "../engine-errors.js";
import type {
  ChainContent,
  Engine,
  EngineOptions,
  ExportRequest,
  IndexCheck,
  IndexState,
  LogAround,
  Page,
  PageQuery,
  ReadBackOptions,
  RowId,
  RunInSlot,
  SegmentContent,
  SegmentSource,
  Snapshot,
  SweepResult,
} from "../engine.js";
import { FilterThread } from "../filter/filter-thread.js";
import { createWriteQueue, type WriteQueue } from "../write-queue.js";
import { readActivity } from "./activity.js";
import type { BuildAnswer, BuildCall, BuildProgress } from "./build-process.js";
import type { PostgresExportTask } from "./export.js";
import { LatestReads } from "./latest-reads.js";
import { Fence } from "./fence.js";
import type { LiveIndex } from "./live-index.js";
import { Pages } from "./pages.js";
import { Pins } from "./pins.js";
import { containsRow, readAround, readState, readVersion, readVersions } from "./reads.js";
import { sweep } from "./sweep.js";
import { PostgresWriter } from "./writer.js";

/** How an index behaves once it is open. */
export interface PostgresEngineOptions extends Omit<EngineOptions, "durable"> {
  indexId: string;
  /** Term and run of the lease of this host; those of no lease if it does not lead. */
  leaseValues(): [term: number, run: string];
  /** Tells hosts apart. */
  hostId: string;
  /** Whether update times are those of `nowMicros`. Default: of the clock of the database, which all hosts share. */
  ownClock?: boolean;
}

/** One index in the database, in its live generation, which any host may switch. */
export class PostgresEngine implements Engine {
  /** The database recovers by itself, and tells nobody how it ended. */
  readonly wasClosed = true;
  private readonly writer: PostgresWriter;
  private readonly writes: WriteQueue<LogRow>;
  private readonly copiers: SegmentCopiers<PostgresExportTask>;
  private readonly filters = new FilterThread();
  private readonly latest: LatestReads;
  private readonly pages: Pages;
  private readonly pins: Pins;
  private readonly fenced: Fence;
  private reads = 0;

  constructor(
    private readonly index: LiveIndex,
    private readonly options: PostgresEngineOptions,
  ) {
    const { retainedVersions, ownClock, nowMicros, hostId } = options;
    this.writer = new PostgresWriter(index, {
      retainedVersions,
      ...(ownClock && { nowMicros }),
    });
    this.writes = createWriteQueue((writes, sinceMs) => this.writer.commit(writes, sinceMs));
    this.copiers = new SegmentCopiers("engine/postgres/copy-worker", index.name);
    this.latest = new LatestReads(index);
    this.pages = new Pages(index, this.filters);
    this.pins = new Pins(index, this.writer, hostId);
    this.fenced = new Fence(index, hostId, () => options.leaseValues());
  }

  async write(write: DocumentWrite): Promise<DocumentVersion | undefined> {
    if (this.fenced.isHeld) throw restoring(this.index.link);
    const outcome = await this.fenced.during(() => this.writes.add(write));
    if ("error" in outcome) throw HostError.fromRecord(outcome.error);
    return "row" in outcome ? toVersion(outcome.row) : undefined;
  }

  read(
    link: string,
    at: { version?: number; atMicros?: number } = {},
  ): Promise<DocumentVersion | undefined> {
    return this.bounded(() =>
      at.version === undefined && at.atMicros === undefined
        ? this.latest.read(link)
        : readVersion(this.index, link, at),
    );
  }

  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]> {
    return this.bounded(() => readVersions(this.index, link, limit, beforeVersion));
  }

  state(): Promise<IndexState> {
    return this.bounded(() =>
      readState(this.index, this.options.indexId, this.options.nowMicros()),
    );
  }

  page(query: PageQuery, signal?: AbortSignal, slot?: RunInSlot): Promise<Page> {
    return this.bounded(() => this.pages.page(query, signal, slot));
  }

  count(
    query: Omit<PageQuery, "limit" | "cursor" | "expand" | "orderBy">,
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<number> {
    return this.bounded(() => this.pages.count(query, signal, slot));
  }

  contains(row: RowId): Promise<boolean> {
    return this.bounded(() => containsRow(this.index, row));
  }

  activity(query: ActivityQuery): Promise<Activity> {
    return this.bounded(() => readActivity(this.index, query));
  }

  around(timeMicros: number, count: number): Promise<LogAround> {
    return this.bounded(() => readAround(this.index, timeMicros, count));
  }

  async snapshot(): Promise<Snapshot> {
    const pin = await this.fenced.during(() => this.pins.add());
    try {
      const state = await readState(this.index, this.options.indexId, pin.wallTimeMicros);
      return {
        ...state,
        wallTimeMicros: Math.max(pin.wallTimeMicros, state.positionMicros),
        release: () => pin.release(),
      };
    } catch (error) {
      await pin.release();
      throw error;
    }
  }

  exportSegment(request: ExportRequest): Promise<SegmentContent> {
    const { snapshot, kind, afterMicros, upToMicros, background, path, signal } = request;
    const { address, tables, generation } = this.index;
    const task = {
      address,
      schema: tables.schema,
      generation,
      kind,
      path,
      firstMicros: afterMicros,
      lastMicros: upToMicros ?? snapshot.positionMicros,
    };
    return this.copiers.export(task, { background, signal, onProgress: request.onProgress });
  }

  readBack(segment: SegmentSource, options: ReadBackOptions): Promise<ChainContent | undefined> {
    return this.copiers.readBack(segment, options);
  }

  async check(signal: AbortSignal, onProgress?: (rows: number) => void): Promise<IndexCheck> {
    const { address, tables, generation, name } = this.index;
    const call: BuildCall = {
      kind: "check",
      task: { address, schema: tables.schema, generation, name },
    };
    return (await runInChild<BuildCall, BuildAnswer, BuildProgress>(
      "engine/postgres/build-process",
      call,
      { signal, onProgress: ({ rows }) => onProgress?.(rows) },
    )) as IndexCheck;
  }

  async sweep(): Promise<SweepResult> {
    if (this.fenced.isHeld) return { expired: 0, compacted: 0, damaged: [] };
    const { retainedVersions, historyMicros, nowMicros } = this.options;
    return this.fenced.during(() =>
      sweep(this.index, this.writer, { nowMicros: nowMicros(), retainedVersions, historyMicros }),
    );
  }

  lineage(): string {
    return this.index.lineage;
  }

  async lastChange(): Promise<number> {
    const { tables, id } = this.index;
    const [row] = await this.index.change<{ last: number }>(
      `SELECT last FROM ${tables.idx} WHERE id = $1`,
      [id],
    );
    return row?.last ?? 0;
  }

  async fence(): Promise<{ positionMicros: number; lastTimeMicros: number }> {
    const lastMicros = await this.fenced.hold();
    const { positionMicros } = await this.state();
    return {
      positionMicros,
      lastTimeMicros: Math.max(positionMicros, lastMicros, this.options.nowMicros()),
    };
  }

  unfence(): void {
    this.fenced.lift();
  }

  /** Waits for calls in progress, then closes. */
  async close(): Promise<void> {
    await this.writes.drained();
    await this.copiers.close();
    await this.fenced.close();
    await this.pins.close();
    await Promise.all([this.filters.close(), this.writer.close(), this.index.close()]);
  }

  private async bounded<T>(read: () => Promise<T>): Promise<T> {
    if (this.reads >= limits.readQueue) throw readQueueFull(this.index.link);
    this.reads += 1;
    try {
      return await read();
    } finally {
      this.reads -= 1;
    }
  }
}
