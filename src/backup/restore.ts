import { join } from "node:path";
import type { ContainerReader } from "../container/container.js";
import { errorWithDisplayName } from "../container/display-name.js";
import type { BuildResult, IndexIdentity, SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { fileBytesOf, type Manifest } from "../segment/manifest.js";
import { fetchedBytes, fetchSegments } from "./segment-files.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";
import type { DocumentIndex } from "../store/document-index.js";
import {
  requireSegments,
  withManifest,
  type ChosenManifest,
  type WantedManifest,
} from "./inspect.js";
import { parentsAfter } from "./lineage.js";
import type { UndoRequest } from "./restore-request.js";
import type { Report } from "./progress.js";
import { requireManifestCounts } from "./scratch-index.js";
import { resolveTargetTime, type ResolvedTarget } from "./target-time.js";

export interface RestoreTask {
  index: DocumentIndex;
  reader: ContainerReader;
  /** Name of the manifest. Default: the newest. */
  manifestName?: string;
  targetTimeMicros?: bigint;
  lenientTargetTime: boolean;
  /** Whether a backup of another index is allowed. */
  allowOtherIndex: boolean;
  /** Expected position of the index at the switch; INDEX_CHANGED if it differs. */
  ifPositionMicros?: number;
  /** Directory for fetched segments, on the disk of the index. */
  temporaryDirectory: string;
}

export interface RestoreRun extends BuildResult {
  identity: IndexIdentity;
  targetTimeMicros?: number;
  warnings: string[];
}

/** Result of the checks of a restore that need no copy of the data. */
export interface RestorePlan {
  file: ChosenManifest;
  target: ResolvedTarget;
  /** Space required in addition to the index, and free space, in bytes. */
  neededBytes: number;
  freeBytes: number;
}

/** Returns which backup to restore. */
export const wantedBy = ({ manifestName, index }: RestoreTask): WantedManifest => ({
  name: manifestName,
  indexLink: index.link,
  indexIds: [index.indexId()],
});

/** Throws BACKUP_OF_OTHER_INDEX if the backup is of another index, unless that is allowed. */
export function requireSameIndex(
  manifest: Pick<Manifest, "indexLink">,
  indexLink: string,
  allowOther: boolean,
): void {
  if (manifest.indexLink === indexLink || allowOther) return;
  throw new HostError(
    "BACKUP_OF_OTHER_INDEX",
    `The backup is of ${manifest.indexLink}, not of ${indexLink}. To restore it to another index, name that index in the request.`,
    { metadata: { indexLink: manifest.indexLink } },
  );
}

/** Checks the restore of one manifest. */
export async function planOf(
  platform: Platform,
  task: RestoreTask,
  file: ChosenManifest,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const { manifest } = file;
  requireSameIndex(manifest, task.index.link, task.allowOtherIndex);
  await requireSegments(task.reader, manifest, signal);
  const target = resolveTargetTime(task.targetTimeMicros, manifest.window, task.lenientTargetTime);
  const bytes = manifest.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // The fetched copy, the new index with its keys, and the space for sorting the keys.
  const neededBytes = Math.ceil(fetchedBytes(manifest.segments) + bytes * 1.5);
  const freeBytes = await platform.files.freeBytes(task.temporaryDirectory);
  if (freeBytes < neededBytes) {
    throw new HostError(
      "STORAGE_FULL",
      `The restore requires about ${neededBytes} bytes in addition to the index, and ${freeBytes} are free. Nothing was changed. Free space, then retry.`,
    );
  }
  return { file, target, neededBytes, freeBytes };
}

/** Restores online: builds and checks a new generation beside the live one, which serves until the switch and is kept for undo. */
export async function runRestore(
  platform: Platform,
  task: RestoreTask,
  signal: AbortSignal,
  report: Report,
): Promise<RestoreRun> {
  const replacement = await task.index.beginReplacement();
  const source = join(
    task.temporaryDirectory,
    `${temporaryPrefix}restore-${platform.randomHex(8)}`,
  );
  try {
    const { file, target, segments } = await withManifest(
      task.reader,
      wantedBy(task),
      signal,
      async (chosen) => {
        const plan = await planOf(platform, task, chosen, signal);
        await platform.files.removeTree(source);
        await platform.files.makeDirectory(source);
        return {
          ...plan,
          segments: await fetchReporting(platform, task.reader, chosen, source, signal, report),
        };
      },
    );
    const { manifest } = file;
    const warnings = [...file.warnings, ...(target.warning === undefined ? [] : [target.warning])];
    for (const warning of warnings) report({ warning });
    await platform.failpoint("restore:source-fetched");
    const origin = {
      indexId: manifest.indexId,
      lineage: manifest.lineage,
      positionMicros: Math.min(
        target.targetTimeMicros ?? manifest.positionMicros,
        manifest.positionMicros,
      ),
    };
    const identity: IndexIdentity = {
      indexId: task.index.indexId(),
      lineage: platform.randomId(),
      parents: await parentsAfter(task.index, [...manifest.parents, origin]),
    };
    report({
      stage: "building",
      documentsTotal: segments.reduce((sum, { records }) => sum + records, 0),
    });
    const built = await replacement.build({
      segments,
      identity,
      signal,
      ...(target.targetTimeMicros !== undefined && { targetTimeMicros: target.targetTimeMicros }),
      onProgress: (stage, rows) =>
        report({ stage, ...(stage === "loading" && { documentsDone: rows }) }),
    });
    if (target.targetTimeMicros === undefined) requireManifestCounts(built, manifest);
    await platform.failpoint("restore:built");
    signal.throwIfAborted();
    report({ stage: "switching" });
    await replacement.commit(task.ifPositionMicros);
    return {
      ...built,
      identity,
      warnings,
      ...(target.targetTimeMicros !== undefined && { targetTimeMicros: target.targetTimeMicros }),
    };
  } catch (error) {
    await replacement.abandon();
    // Report damage for the backup, not for the fetched copy, which no longer exists.
    throw error instanceof HostError && error.reason === "BACKUP_DAMAGED"
      ? errorWithDisplayName(error, source, task.reader.displayName)
      : error;
  } finally {
    await platform.files.removeTree(source).catch(() => {});
  }
}

async function fetchReporting(
  platform: Platform,
  reader: ContainerReader,
  { manifest: { segments } }: ChosenManifest,
  directory: string,
  signal: AbortSignal,
  report: Report,
): Promise<SegmentSource[]> {
  report({
    stage: "fetching",
    bytesTotal: segments.reduce((sum, segment) => sum + fileBytesOf(segment), 0),
  });
  let bytesDone = 0;
  return fetchSegments(platform, reader, segments, directory, signal, (count) =>
    report({ bytesDone: (bytesDone += count) }),
  );
}

/** What an undo did, or would do. */
export interface UndoRun {
  /** Of the reverted index; with validateOnly, of the index as it was before the restore. */
  lineage: string;
  /** Last write of the index before the restore. */
  positionMicros: number;
  /** Versions since the restore. Absent: the index is damaged, and they cannot be counted. */
  discardedVersions?: number;
}

/**
 * Reverts the last restore of the whole index. The reverted index has a new lineage, so the undo can be undone.
 * With validateOnly it changes nothing. NOTHING_TO_UNDO, UNDO_NOT_LAST.
 */
export async function undoRestore(
  platform: Platform,
  index: DocumentIndex,
  { validateOnly = false, ifLineage }: Omit<UndoRequest, "indexLink">,
): Promise<UndoRun> {
  const replacement = await index.beginReplacement();
  try {
    // Checked while no other restore can begin.
    if (ifLineage !== undefined && ifLineage !== index.lineage())
      throw new HostError(
        "UNDO_NOT_LAST",
        `${index.link} was restored again, or undone, since that restore. Nothing was changed. Look at the operations, then undo the last one.`,
      );
    const before = await replacement.previous();
    const discardedVersions = await versionsSinceRestore(index, before.positionMicros);
    const run = {
      lineage: before.lineage,
      positionMicros: before.positionMicros,
      ...(discardedVersions !== undefined && { discardedVersions }),
    };
    if (validateOnly) {
      await replacement.abandon();
      return run;
    }
    const { lineage } = await replacement.undo(
      async ({ indexId, lineage, parents, positionMicros }) => ({
        indexId,
        lineage: platform.randomId(),
        parents: await parentsAfter(index, [...parents, { indexId, lineage, positionMicros }]),
      }),
    );
    return { ...run, lineage };
  } catch (error) {
    await replacement.abandon();
    throw error;
  }
}

/** What a restore takes over is not newer than its parents, and writes after it are newer than all before it. */
async function versionsSinceRestore(
  index: DocumentIndex,
  positionBefore: number,
): Promise<number | undefined> {
  try {
    return await index.withEngine(async (engine) => {
      const { parents } = await engine.state();
      const taken = parents.map(({ positionMicros }) => positionMicros);
      return (await engine.around(Math.max(positionBefore, ...taken), 1)).afterCount;
    });
  } catch {
    // A damaged index must not prevent its undo.
    return undefined;
  }
}
