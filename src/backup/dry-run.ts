import type { HostError } from "../errors.js";
import type { OperationProgress } from "./progress.js";
import type { ContainerReader } from "../container/container.js";
import type { Engine } from "../engine/engine.js";
import type { DocumentIndex } from "../store/document-index.js";
import { findChain, ownManifests } from "./backup.js";
import type { BackupDescription, ContainerKind } from "../segment/description.js";
import type { BackupDryRunPlan } from "./backup-request.js";
import type { RestoreDryRunPlan } from "./restore-request.js";
import { fileBytesOf, type Segment } from "../segment/manifest.js";
import {
  encryptionChange,
  encryptionWarnings,
  requireEncryption,
  type EncryptionWish,
} from "./encryption-change.js";
import { planBackup } from "./plan.js";

/** An earlier operation, from which the duration of the next one is estimated. */
export interface PastOperation {
  kind: string;
  error?: HostError;
  startTimeMicros: number;
  endTimeMicros?: number;
  progress: Pick<OperationProgress, "bytesTotal">;
}

/** Input of a dry run of a backup. */
export interface DryRunBackupTask extends EncryptionWish {
  index: DocumentIndex;
  container: ContainerKind;
  full: boolean;
  isDamaged: (manifestSha256: string) => boolean;
  /** Existing backups at the destination; absent if there are none, or they do not matter. */
  reader?: ContainerReader;
  freeBytes?: number;
}

/** Plans a backup without writing anything. Takes no lock, so that a concurrent backup can change the outcome. */
export async function dryRunBackup(
  task: DryRunBackupTask,
  history: readonly PastOperation[],
  signal: AbortSignal,
): Promise<BackupDryRunPlan & { warnings: string[] }> {
  const { index, reader, container } = task;
  return index.withEngine(async (engine) => {
    const state = await engine.state();
    const existing = reader === undefined ? [] : await reader.manifests(signal);
    const writer = {
      existing,
      async contains(segments: readonly Segment[]) {
        const names = segments.map(({ name }) => name);
        const sizes = await reader?.sizesOf(names, signal);
        return segments.every((segment) => sizes?.get(segment.name) === fileBytesOf(segment));
      },
    };
    const { own, strangers } = await ownManifests(writer, engine, state, task.written);
    const chain =
      container === "DIRECTORY" ? await findChain(writer, own, task.isDamaged) : undefined;
    const before = {
      existing,
      hasEncryptedFiles: () => reader?.hasEncryptedFiles?.(signal),
      previous: chain?.file,
      indexId: state.indexId,
    };
    await requireEncryption(task, before);
    const plan = planBackup({
      snapshot: state,
      chain,
      strangers: strangers.length,
      full: task.full,
      append: false,
      newBase: encryptionChange(task, before),
    });
    const records =
      plan.kind === "base"
        ? state.versions
        : plan.kind === "delta"
          ? (await engine.around(plan.afterMicros, 1)).afterCount
          : 0;
    const estimatedBytes =
      state.versions === 0 ? 0 : Math.ceil((state.sizeBytes / state.versions) * records);
    const expected = expectedMicros(history, "backup", estimatedBytes);
    return {
      kind: plan.kind === "unchanged" ? "UNCHANGED" : plan.kind === "base" ? "BASE" : "DELTA",
      reason:
        plan.kind === "base"
          ? plan.reason
          : plan.kind === "delta"
            ? `writes since ${plan.previous.name}`
            : `no writes since ${plan.previous.name}`,
      records,
      estimatedBytes,
      replacedBackups:
        container === "DIRECTORY" ? own.map(({ name }) => name) : existing.map(({ name }) => name),
      ...(task.freeBytes !== undefined && { freeBytes: task.freeBytes }),
      ...(expected !== undefined && { expectedMicros: expected }),
      warnings: encryptionWarnings(task, before, plan.kind !== "base"),
    };
  });
}

/** Input of a dry run of a restore. */
export interface DryRunRestoreTask {
  index: DocumentIndex;
  backup: BackupDescription;
  targetTimeMicros?: number;
  neededBytes: number;
  freeBytes: number;
}

/** Plans a restore without changing anything. */
export async function dryRunRestore(
  { index, backup, targetTimeMicros, neededBytes, freeBytes }: DryRunRestoreTask,
  history: readonly PastOperation[],
): Promise<RestoreDryRunPlan & { backup: BackupDescription }> {
  const { state, leftOut } = await index.withEngine(async (engine) => {
    const now = await engine.state();
    const upTo = Math.min(targetTimeMicros ?? backup.positionMicros, backup.positionMicros);
    return {
      state: now,
      leftOut: now.lineage === backup.lineage ? await versionsAfter(engine, upTo) : undefined,
    };
  });
  const expected = expectedMicros(history, "restore", backup.sizeBytes);
  return {
    backup,
    currentDocuments: state.documents,
    currentVersions: state.versions,
    currentPositionMicros: state.positionMicros,
    neededBytes,
    freeBytes,
    ...(leftOut !== undefined && { discardedVersions: leftOut }),
    ...(expected !== undefined && { expectedMicros: expected }),
  };
}

async function versionsAfter(engine: Engine, timeMicros: number): Promise<number> {
  return (await engine.around(timeMicros, 1)).afterCount;
}

/** Estimates the duration from the largest earlier operation of this kind, in which fixed costs matter least. */
function expectedMicros(
  history: readonly PastOperation[],
  kind: PastOperation["kind"],
  bytes: number,
): number | undefined {
  let best: { bytes: number; micros: number } | undefined;
  for (const view of history) {
    if (view.kind !== kind || view.error || view.endTimeMicros === undefined) continue;
    const size = view.progress.bytesTotal;
    if (size > (best?.bytes ?? 0))
      best = { bytes: size, micros: view.endTimeMicros - view.startTimeMicros };
  }
  return best === undefined ? undefined : Math.ceil((best.micros * bytes) / best.bytes);
}
