import { join } from "node:path";
import type { ContainerReader } from "../container/container.js";
import type { Engine, StorageEngine } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";
import { requireSegments } from "./inspect.js";
import type { Report } from "./progress.js";
import { withSegmentFiles } from "./segment-files.js";

export interface ScratchTask {
  reader: ContainerReader;
  manifest: Manifest;
  /** Point in time. Default: the end of the backup. */
  targetTimeMicros?: number;
  /** Directory of the temporary index, which is removed on close. */
  temporaryDirectory: string;
}

/** A backup restored to a temporary index. */
export interface ScratchIndex {
  engine: Engine;
  documents: number;
  versions: number;
  close(): Promise<void>;
}

/** Restores a backup to a temporary index. Throws BACKUP_DAMAGED if a digest, row or count is wrong, STORAGE_FULL without space. */
export async function openScratchIndex(
  platform: Platform,
  storageEngine: StorageEngine,
  task: ScratchTask,
  signal: AbortSignal,
  report: Report,
): Promise<ScratchIndex> {
  const { reader, manifest, temporaryDirectory } = task;
  await requireSegments(reader, manifest, signal);
  const bytes = manifest.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // The index with its keys, the space for sorting the keys, and the unpacked archive.
  const needed = Math.ceil(bytes * (reader.kind === "ZIP" ? 2.5 : 1.5));
  const free = await platform.files.freeBytes(temporaryDirectory);
  if (free < needed) {
    throw new HostError(
      "STORAGE_FULL",
      `Reading the backup requires about ${needed} bytes in ${temporaryDirectory}, and ${free} are free. Free space, or set TMPDIR to another directory.`,
    );
  }
  const directory = join(temporaryDirectory, `${temporaryPrefix}scratch-${platform.randomHex(8)}`);
  const remove = () => platform.files.removeTree(directory).catch(() => {});
  try {
    await platform.files.makeDirectory(directory);
    const { indexId, lineage, parents } = manifest;
    const { documents, versions } = await withSegmentFiles(
      platform,
      reader,
      manifest,
      temporaryDirectory,
      signal,
      async (segments) => {
        report({
          stage: "building",
          documentsTotal: segments.reduce((sum, { records }) => sum + records, 0),
        });
        return storageEngine.build({
          directory,
          segments,
          identity: { indexId, lineage, parents },
          signal,
          ...(task.targetTimeMicros !== undefined && { targetTimeMicros: task.targetTimeMicros }),
          onProgress: (stage, rows) =>
            report({ stage, ...(stage === "loading" && { documentsDone: rows }) }),
        });
      },
    );
    if (task.targetTimeMicros === undefined)
      requireManifestCounts({ documents, versions }, manifest);
    const unbounded = {
      retainedVersions: Number.MAX_SAFE_INTEGER,
      historyMicros: Number.MAX_SAFE_INTEGER,
    };
    const engine = await storageEngine.open(directory, {
      durable: false,
      minTimeMicros: 0,
      nowMicros: platform.nowMicros,
      ...unbounded,
    });
    return {
      engine,
      documents,
      versions,
      async close() {
        await engine.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Throws BACKUP_DAMAGED if the counts of the segments differ from the manifest. */
export function requireManifestCounts(
  built: Pick<Manifest, "documents" | "versions">,
  manifest: Manifest,
): void {
  if (built.versions === manifest.versions && built.documents === manifest.documents) return;
  throw new HostError(
    "BACKUP_DAMAGED",
    `The backup contains ${built.documents} documents with ${built.versions} versions; its manifest states ${manifest.documents} with ${manifest.versions}. Use another backup.`,
  );
}
