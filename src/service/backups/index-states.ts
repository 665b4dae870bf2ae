import { join } from "node:path";
import { segmentsAround } from "../../segment/checks.js";
import { documentState, type DocumentState } from "../../backup/document-state.js";
import { compareBackups } from "../../backup/compare-backups.js";
import { withManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import { openScratchIndex, type ScratchTask } from "../../backup/scratch-index.js";
import { fetchedBytes, withSegmentFiles } from "../../backup/segment-files.js";
import { resolveTargetTime } from "../../backup/target-time.js";
import type {
  Engine,
  LogAround,
  RestorableWindow,
  StorageEngine,
  TemporaryIndex,
} from "../../engine/engine.js";
import type { ContainerReader, ManifestTrust } from "../../container/container.js";
import { resolveSource } from "../../container/resolve.js";
import type { DestinationRegistry } from "../../destination/registry.js";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import { openBoth } from "../../io/open-both.js";
import type { Platform } from "../../io/platform.js";
import type { Manifest } from "../../segment/manifest.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { DocumentSelection, IndexPointInTime } from "../../backup/point-in-time.js";
import { withSource } from "./sources.js";

/** A readable state of an index. Close it after use. */
export interface OpenState extends DocumentState {
  /** Number of documents; for a point in time of the live index, the current number. */
  documentCount: number;
  /** About the choice of the backup. */
  warnings: string[];
  close(): Promise<void>;
}

/** Two backups compared: states of the documents that differ alone, without bodies. */
export interface ComparedStates {
  from: OpenState;
  to: OpenState;
  /** Documents that have the same version in both. */
  unchanged: number;
}

/** A temporary index, with what it was built of. */
export interface BuiltState {
  index: TemporaryIndex;
  /** Absent: of the live index. */
  source?: { uri: string; name: string };
  /** Index whose documents it contains. */
  indexLink: string;
  /** Last point in time that it shows. */
  targetTimeMicros: number;
  warnings: string[];
}

/** The space that a temporary index takes: at its end, and at most while it is built, in bytes. */
export interface TemporarySpace {
  indexBytes: number;
  peakBytes: number;
}

/** May throw to refuse what would take too much. */
export type Admit = (space: TemporarySpace) => Promise<void>;

/** Options of IndexStates. */
export interface IndexStatesOptions {
  platform: Platform;
  storageEngine: StorageEngine;
  /** INDEX_NOT_FOUND. */
  indexOf(link: string): Pick<DocumentIndex, "withEngine">;
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

  /** Compares the selected documents of two backups. Throws OPERATION_LIMIT if too many backups are open. */
  async compare(
    from: IndexPointInTime,
    to: IndexPointInTime,
    selection: DocumentSelection,
    signal: AbortSignal,
    report: Report,
  ): Promise<ComparedStates> {
    const { platform, storageEngine } = this.options;
    this.take(2);
    let warnings: [string[], string[]] = [[], []];
    let compared;
    try {
      compared = await this.withBackup(from, signal, report, (first, firstFound) =>
        this.withBackup(to, signal, report, (second, secondFound) => {
          warnings = [firstFound.warnings, secondFound.warnings];
          return compareBackups(
            platform,
            storageEngine,
            [first, second],
            selection,
            signal,
            report,
          );
        }),
      );
    } catch (error) {
      this.scratches -= 2;
      throw error;
    }
    const { unchanged } = compared;
    const keep = (index: TemporaryIndex, about: string[]) =>
      this.keep({ ...this.stateOf(index, about), documentCount: index.documents + unchanged });
    const [left, right] = await openBoth([
      keep(compared.from, warnings[0]),
      keep(compared.to, warnings[1]),
    ]);
    return { from: left, to: right, unchanged };
  }

  /**
   * Builds a temporary index of a state: of a backup, or of the live index, of which it is a copy. The caller closes it.
   */
  build(
    pointInTime: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    admit: Admit,
  ): Promise<BuiltState> {
    return pointInTime.uri === undefined
      ? this.buildLive(pointInTime, signal, report, admit)
      : this.buildBackup(pointInTime, signal, report, ({ segments }, reader) => {
          const indexBytes = builtBytes(
            segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
          );
          const fetched = segments.filter((one) => reader.localPath?.(one) === undefined);
          return admit({ indexBytes, peakBytes: indexBytes + fetchedBytes(fetched) });
        });
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
      const close = () => snapshot.release().finally(held.release);
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
    this.take(1);
    try {
      const { index, warnings } = await this.buildBackup(pointInTime, signal, report, check);
      return this.stateOf(index, warnings);
    } catch (error) {
      this.scratches -= 1;
      throw error;
    }
  }

  private take(count: number): void {
    if (this.scratches + count > limits.scratchIndexes)
      throw new HostError(
        "OPERATION_LIMIT",
        `The host is reading ${this.scratches} backups, its limit. Wait until one completes.`,
      );
    this.scratches += count;
  }

  /** The state of a temporary index, which counts as one until it is closed. */
  private stateOf(index: TemporaryIndex, warnings: string[]): OpenState {
    const close = async () => {
      this.scratches -= 1;
      await index.close();
    };
    return { ...documentState(index.engine), documentCount: index.documents, warnings, close };
  }

  private async buildLive(
    { indexLink, targetTimeMicros }: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    admit: Admit,
  ): Promise<BuiltState> {
    const { platform, storageEngine, temporaryDirectory } = this.options;
    const { files, randomHex } = platform;
    const directory = join(temporaryDirectory, `${temporaryPrefix}export-${randomHex(8)}`);
    try {
      const exported = await this.options.indexOf(indexLink).withEngine(async (engine) => {
        const snapshot = await engine.snapshot();
        try {
          const target = resolveTargetTime(targetTimeMicros, snapshot.window, false);
          const indexBytes = builtBytes(snapshot.sizeBytes);
          await admit({ indexBytes, peakBytes: indexBytes + snapshot.sizeBytes });
          await files.makeDirectory(directory);
          const path = join(directory, "base.sqlite");
          const content = await engine.exportSegment({
            snapshot,
            kind: "base",
            afterMicros: 0,
            path,
            signal,
            onProgress: (rows) =>
              report({
                stage: "exporting",
                documentsDone: rows,
                documentsTotal: snapshot.versions,
              }),
          });
          return { snapshot, target, segment: { ...content, path } };
        } finally {
          await snapshot.release();
        }
      });
      const { snapshot, target, segment } = exported;
      // What was written last may not be in the size of the index yet.
      const indexBytes = builtBytes(segment.sizeBytes);
      await admit({ indexBytes, peakBytes: indexBytes });
      const { indexId, lineage, parents, positionMicros } = snapshot;
      const index = await storageEngine.openTemporary({
        directory: temporaryDirectory,
        segments: [segment],
        identity: { indexId, lineage, parents },
        signal,
        ...target,
        onProgress: (stage, rows) =>
          report({ stage, ...(stage === "loading" && { documentsDone: rows }) }),
      });
      return {
        index,
        indexLink,
        targetTimeMicros: target.targetTimeMicros ?? positionMicros,
        warnings: [],
      };
    } finally {
      await files.removeTree(directory).catch(() => {});
    }
  }

  private async buildBackup(
    pointInTime: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    check: (manifest: Manifest, reader: ContainerReader) => void | Promise<void>,
  ): Promise<BuiltState> {
    const { platform, storageEngine } = this.options;
    return this.withBackup(pointInTime, signal, report, async (task, { uri, name, warnings }) => {
      const { manifest, reader, targetTimeMicros } = task;
      await check(manifest, reader);
      const index = await openScratchIndex(platform, storageEngine, task, signal, report);
      return {
        index,
        source: { uri, name },
        indexLink: manifest.indexLink,
        targetTimeMicros: targetTimeMicros ?? manifest.positionMicros,
        warnings,
      };
    });
  }

  /** Finds a backup and calls `work` to read it; again, if it is replaced by a newer one meanwhile. */
  private async withBackup<T>(
    { uri = "", manifest: name, targetTimeMicros, indexLink, ...access }: IndexPointInTime,
    signal: AbortSignal,
    report: Report,
    work: (
      task: ScratchTask,
      found: { uri: string; name: string; warnings: string[] },
    ) => Promise<T>,
  ): Promise<T> {
    const { temporaryDirectory, ownIndexIds } = this.options;
    const source = await resolveSource(this.options, uri, access);
    const wanted = { name, indexLink, indexIds: ownIndexIds() };
    return withSource(source, signal, report, (reader) =>
      withManifest(reader, wanted, signal, ({ name: found, manifest, warnings }) => {
        const target = resolveTargetTime(targetTimeMicros, manifest.window, false);
        return work(
          { reader, manifest, temporaryDirectory, ...target },
          { uri: source.uri, name: found, warnings },
        );
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

/** The space of an index that is built of so many bytes of segments or of another index, its keys included. */
const builtBytes = (bytes: number) => Math.ceil(bytes * 1.5);

/** Holds the live engine until it is released. */
function holdEngine(
  index: Pick<DocumentIndex, "withEngine">,
): Promise<{ engine: Engine; release: () => void }> {
  return new Promise((resolve, reject) => {
    index
      .withEngine((engine) => new Promise<void>((release) => resolve({ engine, release })))
      .catch(reject);
  });
}
