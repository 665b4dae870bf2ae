import { segmentsAround } from "../../segment/checks.js";
import { documentState, type DocumentState } from "../../backup/document-state.js";
import { withManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import { openScratchIndex } from "../../backup/scratch-index.js";
import { withSegmentFiles } from "../../backup/segment-files.js";
import { resolveTargetTime } from "../../backup/target-time.js";
import type {
  Engine,
  LogAround,
  RestorableWindow,
  StorageEngine,
  TemporaryIndex,
} from "../../engine/engine.js";
import type { ManifestTrust } from "../../container/container.js";
import { resolveSource } from "../../container/resolve.js";
import type { DestinationRegistry } from "../../destination/registry.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import type { Manifest } from "../../segment/manifest.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { IndexPointInTime } from "../../backup/point-in-time.js";
import { withSource } from "./sources.js";

/** A readable state of an index. Close it after use. */
export interface OpenState extends DocumentState {
  /** Number of documents; for a point in time of the live index, the current number. */
  documentCount: number;
  /** About the choice of the backup. */
  warnings: string[];
  close(): Promise<void>;
}

/** Options of IndexStates. */
export interface IndexStatesOptions {
  platform: Platform;
  storageEngine: StorageEngine;
  indexOf(link: string): DocumentIndex;
  registry: DestinationRegistry;
  temporaryDirectory: string;
  /** Manifests that it refuses are not used. Default: all are used. */
  trust?: ManifestTrust | undefined;
  /** IDs of the host's own indexes, whose backups take precedence as "the newest". */
  ownIndexIds(): string[];
}

/** Opens states of the live index and of backups, at their end or at a point in time. */
export class IndexStates {
  private scratches = 0;
  private closed = false;
  private readonly closings = new Set<() => Promise<void>>();

  constructor(private readonly options: IndexStatesOptions) {}

  /** Opens a state. Throws OPERATION_LIMIT if too many backups are open. `check` may throw to refuse a backup by its manifest. */
  async open(
    pointInTime: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check: (manifest: Manifest) => void = () => undefined,
  ): Promise<OpenState> {
    return this.keep(
      await (pointInTime.uri === undefined
        ? this.openLive(pointInTime)
        : this.openBackup(pointInTime, signal, report, check)),
    );
  }

  /** Returns the versions written around a time. */
  async around(
    pointInTime: IndexPointInTime,
    timeMicros: number,
    count: number,
    signal: AbortSignal,
  ): Promise<LogAround & { window: RestorableWindow }> {
    if (pointInTime.uri !== undefined)
      return this.aroundInBackup(pointInTime, pointInTime.uri, timeMicros, count, signal);
    return this.options.indexOf(pointInTime.indexLink).withEngine(async (engine) => ({
      ...(await engine.around(timeMicros, count)),
      window: (await engine.state()).window,
    }));
  }

  /** Closes all open states, since a reader of a stream may disappear without closing its state. Later calls of `open` fail. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.closings].map((close) => close()));
  }

  /** Closes a state once: by its reader, or by `close` of all. */
  private async keep({ close: release, ...state }: OpenState): Promise<OpenState> {
    let closing: Promise<void> | undefined;
    const close = () => {
      this.closings.delete(close);
      return (closing ??= release());
    };
    this.closings.add(close);
    if (this.closed) {
      await close();
      throw new HostError("SHUTTING_DOWN", "The host is stopping; the backup was not opened.");
    }
    return { ...state, close };
  }

  /** Compaction and the removal of the generation wait until the state is closed. */
  private async openLive({ indexLink, targetTimeMicros }: IndexPointInTime): Promise<OpenState> {
    const held = await holdEngine(this.options.indexOf(indexLink));
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
          warnings: [],
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

  private async openBackup(
    pointInTime: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check: (manifest: Manifest) => void,
  ): Promise<OpenState> {
    if (this.scratches >= limits.scratchIndexes)
      throw new HostError(
        "OPERATION_LIMIT",
        `The host is reading ${this.scratches} backups, its limit. Wait until one completes.`,
      );
    this.scratches += 1;
    try {
      const { scratch, warnings } = await this.buildScratch(pointInTime, signal, report, check);
      const close = async () => {
        this.scratches -= 1;
        await scratch.close();
      };
      return {
        ...documentState(scratch.engine),
        documentCount: scratch.documents,
        warnings,
        close,
      };
    } catch (error) {
      this.scratches -= 1;
      throw error;
    }
  }

  private async buildScratch(
    { uri = "", manifest: name, targetTimeMicros, indexLink, ...access }: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check: (manifest: Manifest) => void,
  ): Promise<{ scratch: TemporaryIndex; warnings: string[] }> {
    const { platform, storageEngine, temporaryDirectory, ownIndexIds } = this.options;
    const source = await resolveSource(this.options, uri, access);
    const wanted = { name, indexLink, indexIds: ownIndexIds() };
    return withSource(source, signal, report, (reader) =>
      withManifest(reader, wanted, signal, async ({ manifest, warnings }) => {
        check(manifest);
        const target = resolveTargetTime(targetTimeMicros, manifest.window, false);
        const scratch = await openScratchIndex(
          platform,
          storageEngine,
          { reader, manifest, temporaryDirectory, ...target },
          signal,
          report,
        );
        return { scratch, warnings };
      }),
    );
  }

  private async aroundInBackup(
    { manifest: name, indexLink, bearer, decryptWith }: IndexPointInTime,
    uri: string,
    timeMicros: number,
    count: number,
    signal: AbortSignal,
  ): Promise<LogAround & { window: RestorableWindow }> {
    const { platform, temporaryDirectory, ownIndexIds } = this.options;
    const source = await resolveSource(this.options, uri, { bearer, decryptWith });
    const wanted = { name, indexLink, indexIds: ownIndexIds() };
    return withSource(source, signal, undefined, (reader) =>
      withManifest(reader, wanted, signal, async ({ manifest }) => {
        const around = await withSegmentFiles(
          platform,
          reader,
          manifest,
          temporaryDirectory,
          signal,
          (segments) => segmentsAround(segments, timeMicros, count, signal),
        );
        return { ...around, window: manifest.window };
      }),
    );
  }
}

/** Holds the live engine until it is released. */
function holdEngine(index: DocumentIndex): Promise<{ engine: Engine; release: () => void }> {
  return new Promise((resolve, reject) => {
    index
      .withEngine((engine) => new Promise<void>((release) => resolve({ engine, release })))
      .catch(reject);
  });
}
