import { join } from "node:path";
import type { StagedSegment } from "../../container/container.js";
import type { Manifest } from "../../segment/manifest.js";
import { segmentName } from "../../segment/names.js";
import { mergeLease, mergePrefix } from "../../container/directory.js";
import { errnoOf } from "../../io/file-system.js";
import { acquireLease, type Lease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import type { DocumentIndex } from "../../store/document-index.js";
import { planMerge, type MergePlan } from "./merge-plan.js";

/** Merges segments of a chain beside the backups that make it longer: one merge at a time. */
export interface BackgroundMerge {
  /** The directory's own directory that a merge is made in; backups leave it alone. */
  readonly directoryName: string;
  /** A merged segment that is complete and was read back, to be put in place by the next backup. */
  ready(): StagedSegment | undefined;
  /** Begins a merge where the chain wants one and none is under way or ready. */
  consider(manifest: Manifest): void;
  /** Forgets what is ready, whether a backup has taken it or could not; what is still being made goes on. */
  clear(): Promise<void>;
  /** Stops what is under way and removes what it made. */
  close(): Promise<void>;
}

export interface MergeOptions {
  platform: Platform;
  index: DocumentIndex;
  /** The destination: what is merged lies on its disk, so that it only has to be renamed. */
  directory: string;
  onReady(): void;
  /** A merge that fails is none: the chain stays as it is and the next backup considers it anew. */
  onError(error: unknown): void;
}

export function createBackgroundMerge({
  platform,
  index,
  directory,
  onReady,
  onError,
}: MergeOptions): BackgroundMerge {
  const { files } = platform;
  const directoryName = `${mergePrefix}${platform.randomHex(8)}`;
  const workDirectory = join(directory, directoryName);
  const stop = new AbortController();
  let merged: StagedSegment | undefined;
  let running: Promise<void> | undefined;
  /** Shows others that whoever made the directory is alive: they take it for a leftover otherwise. */
  let lease: Lease | undefined;

  async function merge(
    { kind, firstMicros, lastMicros }: MergePlan,
    lineage: string,
  ): Promise<void> {
    await files.makeDirectory(workDirectory);
    lease = await acquireLease(platform, join(workDirectory, mergeLease), stop.signal);
    const path = join(workDirectory, "segment");
    merged = await index.withEngine(async (engine) => {
      const snapshot = await engine.snapshot();
      try {
        // A restore has put another history in its place: there is nothing left to merge for.
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
    await lease?.release().catch(() => {});
    lease = undefined;
    // Where the destination itself is gone or no directory any more, so is this; the backup tells of that.
    await files.removeTree(workDirectory).catch((error: unknown) => {
      if (errnoOf(error) !== "ENOTDIR") throw error;
    });
  };

  const clear = async () => {
    merged = undefined;
    if (running === undefined) await remove();
  };

  return {
    directoryName,
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
