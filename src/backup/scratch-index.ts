import type { ContainerReader } from "../container/container.js";
import type { StorageEngine, TemporaryIndex } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import type { Platform } from "../io/platform.js";
import { requireSegments } from "./inspect.js";
import type { Report } from "./progress.js";
import { withSegmentFiles } from "./segment-files.js";

/** A backup to read. */
export interface ScratchTask {
  reader: ContainerReader;
  manifest: Manifest;
  /** Point in time to read; default: the end of the backup. */
  targetTimeMicros?: number;
  /** Holds the index until it is closed. */
  temporaryDirectory: string;
}

/** Opens a backup for reading as a temporary index. BACKUP_DAMAGED unless every digest, row and count agrees; STORAGE_FULL. */
export async function openScratchIndex(
  platform: Platform,
  storageEngine: StorageEngine,
  task: ScratchTask,
  signal: AbortSignal,
  report: Report,
): Promise<TemporaryIndex> {
  const { reader, manifest, temporaryDirectory } = task;
  await requireSegments(reader, manifest, signal);
  await requireScratchSpace(platform, [task]);
  const { indexId, lineage, parents } = manifest;
  const index = await withSegmentFiles(
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
      return storageEngine.openTemporary({
        directory: temporaryDirectory,
        segments,
        identity: { indexId, lineage, parents },
        signal,
        ...(task.targetTimeMicros !== undefined && { targetTimeMicros: task.targetTimeMicros }),
        onProgress: (stage, rows) =>
          report({ stage, ...(stage === "loading" && { documentsDone: rows }) }),
      });
    },
  );
  try {
    if (task.targetTimeMicros === undefined) requireManifestCounts(index, manifest);
    return index;
  } catch (error) {
    await index.close();
    throw error;
  }
}

/** STORAGE_FULL unless there is space for an index of each backup with its keys, for sorting the keys, and for the unpacked archives. */
export async function requireScratchSpace(
  platform: Platform,
  tasks: readonly ScratchTask[],
): Promise<void> {
  let needed = 0;
  for (const { reader, manifest } of tasks) {
    const bytes = manifest.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    needed += Math.ceil(bytes * (reader.kind === "ZIP" ? 2.5 : 1.5));
  }
  const { temporaryDirectory = "" } = tasks[0] ?? {};
  const free = await platform.files.freeBytes(temporaryDirectory);
  if (free < needed) {
    throw new HostError(
      "STORAGE_FULL",
      `Reading the backup requires about ${needed} bytes in ${temporaryDirectory}, and ${free} are free. Free space, or set TMPDIR to another directory.`,
    );
  }
}

/** BACKUP_DAMAGED unless the segments together contain the documents and versions that the manifest states. */
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
