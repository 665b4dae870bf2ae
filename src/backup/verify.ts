import { checkSegments, sampleSegments } from "../segment/checks.js";
import type { ContainerReader } from "../container/container.js";
import type { ChainContent, StorageEngine } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import type { Platform } from "../io/platform.js";
import { requireSegments } from "./inspect.js";
import type { VerifyLevel, VerifyResult } from "./verification.js";
import type { Report } from "./progress.js";
import { openScratchIndex, requireManifestCounts } from "./scratch-index.js";
import { withSegmentFiles } from "./segment-files.js";

/** Input of a verification. */
export interface VerifyTask {
  reader: ContainerReader;
  manifest: Manifest;
  level: VerifyLevel;
  /** SAMPLE: percentage of rows to read, 1 to 100. */
  samplePercent: number;
  /** For unpacked segments and the index of a test restore. */
  temporaryDirectory: string;
}

/** Numbers of checked items. */
export type Checked = Pick<
  VerifyResult,
  "records" | "bytes" | "documents" | "versions" | "compared" | "restoreMicros"
>;

/** Verifies a backup at a level. Throws BACKUP_DAMAGED. */
export async function verifyBackup(
  platform: Platform,
  storageEngine: StorageEngine,
  task: VerifyTask,
  signal: AbortSignal,
  report: Report,
): Promise<Checked> {
  const { reader, manifest, level } = task;
  await requireSegments(reader, manifest, signal);
  const records = manifest.segments.reduce((sum, segment) => sum + segment.records, 0);
  const prunes = manifest.segments.reduce((sum, segment) => sum + segment.prunes, 0);
  if (prunes === 0 && records !== manifest.versions) {
    throw new HostError(
      "BACKUP_DAMAGED",
      `The segments of ${reader.displayName} contain ${records} versions; the manifest states ${manifest.versions}. Use another backup.`,
    );
  }
  if (level === "METADATA") return { records: 0, bytes: 0 };
  const bytesTotal = manifest.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (level === "TEST_RESTORE") {
    const begun = performance.now();
    const scratch = await openScratchIndex(platform, storageEngine, task, signal, report);
    const restoreMicros = Math.round((performance.now() - begun) * 1000);
    const { documents, versions } = scratch;
    await scratch.close();
    return { records, bytes: bytesTotal, documents, versions, restoreMicros };
  }
  const { samplePercent, temporaryDirectory } = task;
  const sampled = level === "SAMPLE";
  report({
    stage: sampled ? "sampling" : "verifying",
    documentsTotal: sampled ? Math.ceil((records * samplePercent) / 100) : records,
  });
  return withSegmentFiles(
    platform,
    reader,
    manifest,
    temporaryDirectory,
    signal,
    async (segments) => {
      const onRows = (rows: number) => report({ documentsDone: rows });
      if (sampled) return sampleSegments(segments, samplePercent, signal, onRows);
      requireManifestContent(
        await checkSegments(segments, temporaryDirectory, signal, onRows),
        manifest,
      );
      report({ bytesTotal, bytesDone: bytesTotal });
      return { records, bytes: bytesTotal };
    },
  );
}

/** Throws BACKUP_DAMAGED if the counts or the window of the segments differ from the manifest. */
function requireManifestContent(chain: ChainContent, manifest: Manifest): void {
  requireManifestCounts(chain, manifest);
  const { window } = manifest;
  const earliestMicros = Math.max(chain.firstMicros, chain.prunedUntilMicros);
  const startMicros =
    chain.prunedSinceMicros === 0
      ? chain.firstMicros
      : Math.min(chain.prunedSinceMicros, chain.firstMicros || chain.prunedSinceMicros);
  if (window.earliestMicros < earliestMicros) {
    throw new HostError(
      "BACKUP_DAMAGED",
      `The manifest states a restorable window from ${window.earliestMicros}, and the segments cover points in time from ${earliestMicros}. Use another backup.`,
    );
  }
  if (
    startMicros > 0 &&
    (window.historyStartMicros === 0 || window.historyStartMicros > startMicros)
  ) {
    throw new HostError(
      "BACKUP_DAMAGED",
      `The manifest states a first version at ${window.historyStartMicros}, and the segments contain versions from ${startMicros}. Use another backup.`,
    );
  }
}
