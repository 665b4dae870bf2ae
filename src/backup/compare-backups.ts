import { join } from "node:path";
import type { SegmentSource, StorageEngine, TemporaryIndex } from "../engine/engine.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { openBoth } from "../io/open-both.js";
import type { Platform } from "../io/platform.js";
import { compareSegments } from "../segment/checks.js";
import { requireSegments } from "./inspect.js";
import type { DocumentSelection } from "./point-in-time.js";
import type { Report } from "./progress.js";
import { requireManifestCounts, requireScratchSpace, type ScratchTask } from "./scratch-index.js";
import { withSegmentFiles } from "./segment-files.js";

/** Two backups compared: an index of each with the documents that differ alone, without bodies. */
export interface ComparedBackups {
  from: TemporaryIndex;
  to: TemporaryIndex;
  /** Documents that have the same version in both. */
  unchanged: number;
}

/**
 * Compares the selected documents of two backups. The caller closes both indexes. BACKUP_DAMAGED
 * unless every digest, row, version and count of both agrees; STORAGE_FULL.
 */
export async function compareBackups(
  platform: Platform,
  storageEngine: StorageEngine,
  [from, to]: readonly [ScratchTask, ScratchTask],
  selection: DocumentSelection,
  signal: AbortSignal,
  report: Report,
): Promise<ComparedBackups> {
  const { temporaryDirectory } = from;
  for (const { reader, manifest } of [from, to]) await requireSegments(reader, manifest, signal);
  await requireScratchSpace(platform, [from, to]);
  const directory = join(temporaryDirectory, `${temporaryPrefix}compare-${platform.randomHex(8)}`);
  try {
    await platform.files.makeDirectory(directory);
    const { counts, unchanged, differing } = await withFilesOf(from, (segments) =>
      withFilesOf(to, (others) => {
        report({
          stage: "verifying",
          documentsTotal: [...segments, ...others].reduce((sum, { records }) => sum + records, 0),
        });
        return compareSegments(
          {
            chains: [chainOf(from, segments), chainOf(to, others)],
            wanted: selection,
            directory,
          },
          signal,
          (documentsDone) => report({ documentsDone }),
        );
      }),
    );
    requireManifestCounts(counts[0], from.manifest);
    requireManifestCounts(counts[1], to.manifest);
    const [left, right] = await openBoth([open(from, differing[0]), open(to, differing[1])]);
    return { from: left, to: right, unchanged };
  } finally {
    await platform.files.removeTree(directory).catch(() => {});
  }

  function withFilesOf<T>(
    { reader, manifest }: ScratchTask,
    work: (segments: SegmentSource[]) => Promise<T>,
  ): Promise<T> {
    return withSegmentFiles(platform, reader, manifest, temporaryDirectory, signal, work);
  }

  function open(
    { manifest: { indexId, lineage, parents } }: ScratchTask,
    segment: SegmentSource,
  ): Promise<TemporaryIndex> {
    return storageEngine.openTemporary({
      directory: temporaryDirectory,
      segments: [segment],
      identity: { indexId, lineage, parents },
      signal,
    });
  }
}

const chainOf = ({ targetTimeMicros }: ScratchTask, segments: SegmentSource[]) => ({
  segments,
  ...(targetTimeMicros !== undefined && { targetTimeMicros }),
});
