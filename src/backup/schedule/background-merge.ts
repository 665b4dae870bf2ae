import { join } from "node:path";
import type { StagedSegment } from "../../container/container.js";
import type { StagingArea } from "../../destination/destination.js";
import type { Platform } from "../../io/platform.js";
import type { Manifest } from "../../segment/manifest.js";
import type { DocumentIndex } from "../../store/document-index.js";
import { temporaryName } from "../../io/durable-file.js";
import { encodeSegment, stagingFor, type SegmentEncoding } from "../encode-segment.js";
import { planMerge, type MergePlan } from "./merge-plan.js";

/** What a background merge works with. */
export interface MergeOptions {
  platform: Platform;
  index: DocumentIndex;
  /** How the merged segment is stored. */
  encoding(): Promise<SegmentEncoding>;
  /** Directory in the data directory, for databases of segments that will be encrypted. */
  temporaryDirectory: string;
  /** Makes a staging area of the destination that keeps the chain. */
  stage(): Promise<StagingArea>;
  onReady(): void;
  /** Called when a merge fails: the chain stays as it is, and the next backup considers a merge again. */
  onError(error: unknown): void;
}

/** Merges segments of a chain while backups extend the chain: one merge at a time. */
export class BackgroundMerge {
  private readonly stop = new AbortController();
  private merged: StagedSegment | undefined;
  private running: Promise<void> | undefined;
  private staging: StagingArea | undefined;

  constructor(private readonly options: MergeOptions) {}

  /** Returns the merged segment, complete and verified, for the next backup to store. */
  ready(): StagedSegment | undefined {
    return this.merged;
  }

  /** Starts a merge if the chain needs one and none is running or ready. */
  consider({ segments, lineage }: Manifest): void {
    const plan = planMerge(segments, this.options.platform.autoBackup);
    const busy = this.merged !== undefined || this.running !== undefined;
    if (plan === undefined || busy || this.stop.signal.aborted) return;
    this.running = this.run(plan, lineage)
      .catch(async (error: unknown) => {
        await this.removeStaging().catch(() => {});
        if (!this.stop.signal.aborted) this.options.onError(error);
      })
      .finally(() => {
        this.running = undefined;
        if (this.merged !== undefined) this.options.onReady();
      });
  }

  /** Discards the merged segment, used or not. A running merge continues. */
  async clear(): Promise<void> {
    this.merged = undefined;
    if (this.running === undefined) await this.removeStaging();
  }

  /** Cancels a running merge and removes its files. */
  async close(): Promise<void> {
    this.stop.abort();
    await this.running;
    await this.clear().catch(() => {});
  }

  private async run({ kind, firstMicros, lastMicros }: MergePlan, lineage: string): Promise<void> {
    const { signal } = this.stop;
    this.staging = await this.options.stage();
    const { platform, temporaryDirectory } = this.options;
    const stagingDirectory = this.staging.directory;
    const encoding = await this.options.encoding();
    const directory = stagingFor(encoding, { stagingDirectory, temporaryDirectory });
    const path = join(directory, temporaryName(platform));
    this.merged = await this.options.index.withEngine(async (engine) => {
      const snapshot = await engine.snapshot();
      try {
        // A restore has replaced this history, so no backup will extend its chain.
        if (snapshot.lineage !== lineage) return undefined;
        const content = await engine.exportSegment({
          snapshot,
          kind,
          afterMicros: firstMicros,
          upToMicros: lastMicros,
          path,
          signal,
          background: true,
        });
        const options = { temporaryDirectory, background: true, signal };
        await engine.readBack({ ...content, path }, options);
        const staged = await encodeSegment({ content, path }, encoding, stagingDirectory, signal);
        if (staged.path !== path) await platform.files.remove(path);
        return staged;
      } catch (error) {
        await platform.files.remove(path).catch(() => {});
        throw error;
      } finally {
        await snapshot.release();
      }
    });
  }

  private async removeStaging(): Promise<void> {
    const area = this.staging;
    this.staging = undefined;
    await area?.close();
  }
}
