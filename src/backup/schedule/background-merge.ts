import { join } from "node:path";
import type { Destination, StagingArea } from "../../destination/destination.js";
import type { StagedSegment } from "../../container/container.js";
import type { Manifest } from "../../segment/manifest.js";
import { segmentName } from "../../segment/format.js";
import type { Platform } from "../../io/platform.js";
import type { DocumentIndex } from "../../store/document-index.js";
import { planMerge, type MergePlan } from "./merge-plan.js";

/** Merges segments of a chain beside the backups that make it longer: one merge at a time. */
export interface BackgroundMerge {
  /** A merged segment that is complete and verified, for the next backup to store. */
  ready(): StagedSegment | undefined;
  /** Starts a merge if the chain needs one and none is running or ready. */
  consider(manifest: Manifest): void;
  /** Discards the merged segment, used or not. A running merge continues. */
  clear(): Promise<void>;
  /** Stops what is under way and removes what it made. */
  close(): Promise<void>;
}

export interface MergeOptions {
  platform: Platform;
  index: DocumentIndex;
  /** Where the chain is. Merged segments are staged for it. */
  destination: Destination;
  onReady(): void;
  /** Called when a merge fails: the chain stays as it is, and the next backup considers a merge again. */
  onError(error: unknown): void;
}

export function createBackgroundMerge({
  platform,
  index,
  destination,
  onReady,
  onError,
}: MergeOptions): BackgroundMerge {
  const stop = new AbortController();
  let merged: StagedSegment | undefined;
  let running: Promise<void> | undefined;
  let staging: StagingArea | undefined;

  async function merge(
    { kind, firstMicros, lastMicros }: MergePlan,
    lineage: string,
  ): Promise<void> {
    staging = await destination.stage({});
    const path = join(staging.directory, "segment");
    merged = await index.withEngine(async (engine) => {
      const snapshot = await engine.snapshot();
      try {
        // A restore has replaced this history, so its chain will not be extended.
        if (snapshot.lineage !== lineage) return undefined;
        const { signal } = stop;
        const content = await engine.exportSegment({
          snapshot,
          kind,
          afterMicros: firstMicros,
          upToMicros: lastMicros,
          path,
          signal,
          background: true,
        });
        await engine.readBack({ ...content, path }, signal, true);
        return { segment: { ...content, name: segmentName(content) }, path };
      } finally {
        await snapshot.release();
      }
    });
  }

  const remove = async () => {
    const area = staging;
    staging = undefined;
    await area?.close();
  };

  const clear = async () => {
    merged = undefined;
    if (running === undefined) await remove();
  };

  return {
    ready: () => merged,
    consider({ segments, lineage }) {
      const plan = planMerge(segments, platform.autoBackup);
      if (
        plan === undefined ||
        merged !== undefined ||
        running !== undefined ||
        stop.signal.aborted
      )
        return;
      running = merge(plan, lineage)
        .catch(async (error: unknown) => {
          await remove().catch(() => {});
          if (!stop.signal.aborted) onError(error);
        })
        .finally(() => {
          running = undefined;
          if (merged !== undefined) onReady();
        });
    },
    clear,
    async close() {
      stop.abort();
      await running;
      await clear().catch(() => {});
    },
  };
}
