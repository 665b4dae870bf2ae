import { join } from "node:path";
import type { ContainerReader } from "../container/container.js";
import { errorWithDisplayName } from "../container/display-name.js";
import type { BuildResult, IndexIdentity, SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
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
import type { Report } from "./progress.js";
import { requireManifestCounts } from "./scratch-index.js";
import { resolveTargetTime, type ResolvedTarget } from "./target-time.js";

export interface RestoreTask {
  index: DocumentIndex;
  reader: ContainerReader;
  /** The manifest's name; absent: the newest. */
  manifestName?: string;
  targetTimeMicros?: bigint;
  lenientTargetTime: boolean;
  /** Whether a backup of another index may go into this one. */
  allowOtherIndex: boolean;
  /** INDEX_CHANGED unless the index is at this position when it is switched. */
  ifPositionMicros?: number;
  /** A directory on the disk of the index, for what is fetched. */
  temporaryDirectory: string;
}

export interface RestoreRun extends BuildResult {
  identity: IndexIdentity;
  targetTimeMicros?: number;
  warnings: string[];
}

/** What a restore would do: the checks that need no copy of the data. */
export interface RestorePlan {
  file: ChosenManifest;
  target: ResolvedTarget;
  /** What it takes beside the index, and what is free there. */
  neededBytes: number;
  freeBytes: number;
}

/** The backup that a restore is to be made of. */
export const wantedBy = ({ manifestName, index }: RestoreTask): WantedManifest => ({
  name: manifestName,
  indexLink: index.link,
  indexIds: [index.indexId()],
});

/** BACKUP_OF_OTHER_INDEX for one of another index than it goes into, unless that may be. */
export function requireSameIndex(
  manifest: Pick<Manifest, "indexLink">,
  indexLink: string,
  allowOther: boolean,
): void {
  if (manifest.indexLink === indexLink || allowOther) return;
  throw new HostError(
    "BACKUP_OF_OTHER_INDEX",
    `The backup is of ${manifest.indexLink}, not of ${indexLink}; name the index to restore it into, if that is meant and the token may.`,
    { metadata: { indexLink: manifest.indexLink } },
  );
}

/** The plan for one manifest. */
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
  // The copy that is read, the index made of it with its keys, and what sorting the keys takes.
  const neededBytes = Math.ceil(bytes * 2.5);
  const freeBytes = await platform.files.freeBytes(task.temporaryDirectory);
  if (freeBytes < neededBytes) {
    throw new HostError(
      "STORAGE_FULL",
      `The restore needs about ${neededBytes} bytes beside the index and ${freeBytes} are free; nothing was changed.`,
    );
  }
  return { file, target, neededBytes, freeBytes };
}

/** Restores online: the new index is made and checked beside the live one, which serves until the switch and stays for undo. */
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
          segments: await fetchSegments(
            platform,
            task.reader,
            chosen.manifest,
            source,
            signal,
            report,
          ),
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
    // Damage is reported for the backup, not for the fetched copy, which is gone.
    throw error instanceof HostError && error.reason === "BACKUP_DAMAGED"
      ? errorWithDisplayName(error, source, task.reader.displayName)
      : error;
  } finally {
    await platform.files.removeTree(source).catch(() => {});
  }
}

async function fetchSegments(
  platform: Platform,
  reader: ContainerReader,
  manifest: Manifest,
  directory: string,
  signal: AbortSignal,
  report: Report,
): Promise<SegmentSource[]> {
  report({
    stage: "fetching",
    bytesTotal: manifest.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  });
  const wanted = manifest.segments.map((segment) => ({
    segment,
    path: join(directory, segment.name),
  }));
  let bytesDone = 0;
  await reader.fetch(wanted, signal, (count) => report({ bytesDone: (bytesDone += count) }));
  await platform.files.syncDirectory(directory);
  return wanted.map(({ segment, path }) => ({ ...segment, path }));
}

/** Puts the index back that the last restore replaced, as a new lineage: it can itself be undone. */
export async function undoRestore(
  platform: Platform,
  index: DocumentIndex,
): Promise<IndexIdentity> {
  const replacement = await index.beginReplacement();
  try {
    return await replacement.undo(async ({ indexId, lineage, parents, positionMicros }) => ({
      indexId,
      lineage: platform.randomId(),
      parents: await parentsAfter(index, [...parents, { indexId, lineage, positionMicros }]),
    }));
  } catch (error) {
    await replacement.abandon();
    throw error;
  }
}
