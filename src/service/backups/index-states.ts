import { segmentsAround } from "../../segment/checks.js";
import { documentState, type DocumentState } from "../../backup/document-state.js";
import { withManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import { openScratchIndex } from "../../backup/scratch-index.js";
import { withSegmentFiles } from "../../backup/segment-files.js";
import { resolveTargetTime } from "../../backup/target-time.js";
import type { Engine, StorageEngine, LogAround, RestorableWindow } from "../../engine/engine.js";
import { resolveSource } from "../../container/resolve.js";
import type { DestinationRegistry } from "../../destination/registry.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import type { Manifest } from "../../segment/manifest.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { IndexPointInTime } from "../../backup/point-in-time.js";
import { openSource } from "./sources.js";

/** A readable state of an index. Close it after use. */
export interface OpenState extends DocumentState {
  /** Number of documents; for a point in time of the live index, the current number. */
  documentCount: number;
  close(): Promise<void>;
}

/** Opens states of the live index and of backups, at their end or at a point in time. */
export interface IndexStates {
  /** Opens a state. Throws OPERATION_LIMIT if too many backups are open. `check` may throw to refuse a backup by its manifest. */
  open(
    pointInTime: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check?: (manifest: Manifest) => void,
  ): Promise<OpenState>;
  around(
    pointInTime: IndexPointInTime,
    timeMicros: number,
    count: number,
    signal: AbortSignal,
  ): Promise<LogAround & { window: RestorableWindow }>;
  /** Closes all open states, since a reader of a stream may disappear without closing its state. Later calls of `open` fail. */
  close(): Promise<void>;
}

export interface IndexStatesOptions {
  platform: Platform;
  storageEngine: StorageEngine;
  indexOf(link: string): DocumentIndex;
  registry: DestinationRegistry;
  temporaryDirectory: string;
  /** IDs of the host's own indexes, whose backups take precedence as "the newest". */
  ownIndexIds(): string[];
}

export function createIndexStates(options: IndexStatesOptions): IndexStates {
  const { platform, storageEngine, indexOf, temporaryDirectory, ownIndexIds } = options;
  let scratches = 0;
  let closed = false;
  const closings = new Set<() => Promise<void>>();

  /** Closes a state once: by its reader, or by `close` of all. */
  async function kept({ close: release, ...state }: OpenState): Promise<OpenState> {
    let closing: Promise<void> | undefined;
    const close = () => {
      closings.delete(close);
      return (closing ??= release());
    };
    closings.add(close);
    if (closed) {
      await close();
      throw new HostError("SHUTTING_DOWN", "The host is stopping; the backup was not opened.");
    }
    return { ...state, close };
  }

  /** Compaction and the removal of the generation wait until the state is closed. */
  async function openLive({ indexLink, targetTimeMicros }: IndexPointInTime): Promise<OpenState> {
    const held = await holdEngine(indexOf(indexLink));
    try {
      const snapshot = await held.engine.snapshot();
      const close = async () => {
        await snapshot.release();
        held.release();
      };
      try {
        const target = resolveTargetTime(targetTimeMicros, snapshot.window, false);
        return {
          ...documentState(held.engine, target.targetTimeMicros ?? snapshot.positionMicros),
          documentCount: snapshot.documents,
          close,
        };
      } catch (error) {
        await snapshot.release();
        throw error;
      }
    } catch (error) {
      held.release();
      throw error;
    }
  }

  async function openBackup(
    { uri = "", manifest: name, targetTimeMicros, indexLink, bearer }: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check: (manifest: Manifest) => void,
  ): Promise<OpenState> {
    if (scratches >= limits.scratchIndexes)
      throw new HostError(
        "OPERATION_LIMIT",
        `The host is reading ${scratches} backups, its limit. Wait until one completes.`,
      );
    scratches += 1;
    try {
      const reader = await openSource(await resolveSource(options, uri, bearer), signal, report);
      try {
        const scratch = await withManifest(
          reader,
          { name, indexLink, indexIds: ownIndexIds() },
          signal,
          async ({ manifest }) => {
            check(manifest);
            const target = resolveTargetTime(targetTimeMicros, manifest.window, false);
            return openScratchIndex(
              platform,
              storageEngine,
              { reader, manifest, temporaryDirectory, ...target },
              signal,
              report,
            );
          },
        );
        const close = async () => {
          scratches -= 1;
          await scratch.close();
        };
        return { ...documentState(scratch.engine), documentCount: scratch.documents, close };
      } finally {
        await reader.close();
      }
    } catch (error) {
      scratches -= 1;
      throw error;
    }
  }

  return {
    open: async (pointInTime, signal, report, check = () => undefined) =>
      kept(
        await (pointInTime.uri === undefined
          ? openLive(pointInTime)
          : openBackup(pointInTime, signal, report, check)),
      ),
    async close() {
      closed = true;
      await Promise.all([...closings].map((close) => close()));
    },
    async around({ uri, manifest: name, indexLink, bearer }, timeMicros, count, signal) {
      if (uri === undefined) {
        return indexOf(indexLink).withEngine(async (engine) => ({
          ...(await engine.around(timeMicros, count)),
          window: (await engine.state()).window,
        }));
      }
      const reader = await openSource(await resolveSource(options, uri, bearer), signal);
      try {
        return await withManifest(
          reader,
          { name, indexLink, indexIds: ownIndexIds() },
          signal,
          async ({ manifest }) => {
            const around = await withSegmentFiles(
              platform,
              reader,
              manifest,
              temporaryDirectory,
              signal,
              (segments) => segmentsAround(segments, timeMicros, count, signal),
            );
            return { ...around, window: manifest.window };
          },
        );
      } finally {
        await reader.close();
      }
    },
  };
}

/** Holds the live engine until it is released. */
function holdEngine(index: DocumentIndex): Promise<{ engine: Engine; release: () => void }> {
  return new Promise((resolve, reject) => {
    index
      .withEngine((engine) => new Promise<void>((release) => resolve({ engine, release })))
      .catch(reject);
  });
}
