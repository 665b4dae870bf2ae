import { join } from "node:path";
import type { ContainerWriter, StagedSegment } from "../container/container.js";
import type { Engine, Snapshot } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { encodeManifest, type ManifestFile, type Segment } from "../format/manifest.js";
import { parseManifestName, segmentName } from "../format/naming.js";
import { temporaryName } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Seams } from "../io/seams.js";
import type { DocumentIndex } from "../store/document-index.js";
import { replaceMerged } from "./merge-plan.js";
import { planBackup, type BackupPlan } from "./plan.js";
import type { Report } from "./report.js";

export interface BackupTask {
  index: DocumentIndex;
  writer: ContainerWriter;
  hostId: string;
  productVersion: string;
  full: boolean;
  /** ZIP: store instead of deflate. */
  store: boolean;
  /** DIRECTORY: always a delta where the chain is whole; it is merged beside. */
  append?: boolean;
  /** Whether the last check of the backup with this manifest found damage: such a one is not built on. */
  isDamaged?: (manifestSha256: string) => boolean;
  /** A segment that takes the place of those of the chain whose range it holds: at the destination, read back. */
  merged?: StagedSegment;
}

export interface BackupRun {
  manifest: ManifestFile;
  segmentsWritten: number;
  bytesWritten: number;
  verified: boolean;
  warnings: string[];
}

/** Writes one backup; finished, durable and read back when it resolves. The caller closes the writer. */
export async function runBackup(seams: Seams, task: BackupTask, signal: AbortSignal, report: Report): Promise<BackupRun> {
  return task.index.withEngine(async (engine) => {
    report({ stage: "snapshot" });
    const snapshot = await engine.snapshot();
    try {
      await seams.step("backup:snapshot-taken");
      return await writeBackup(seams, task, engine, snapshot, signal, report);
    } finally {
      await snapshot.release();
    }
  });
}

async function writeBackup(seams: Seams, task: BackupTask, engine: Engine, snapshot: Snapshot, signal: AbortSignal, report: Report): Promise<BackupRun> {
  const { writer } = task;
  const warnings: string[] = [];
  for (const found of writer.existing) {
    if (!("problem" in found)) continue;
    warnings.push(`The manifest ${found.name} at the destination cannot be read (${found.problem}); it and what it lists were left alone.`);
  }
  const own = await ownManifests(writer, engine, snapshot);
  const chainThere = await findChain(writer, own, task.isDamaged);
  const plan = planBackup({ snapshot, chain: chainThere, full: task.full, append: task.append ?? false });
  report({ stage: "exporting", documentsTotal: snapshot.versions });
  const fresh = await stage(seams, task, engine, snapshot, plan, signal, report);
  const chain = plan.kind === "base" ? [] : plan.previous.manifest.segments.slice(0, plan.kind === "delta" ? plan.keep : undefined);
  const kept = task.merged === undefined ? undefined : replaceMerged(chain, task.merged.segment);
  const staged = kept !== undefined && task.merged !== undefined ? [task.merged, ...fresh] : fresh;
  const before = writer.existing[0];
  const manifest = encodeManifest({
    number: greatestNumber(writer) + 1,
    indexId: snapshot.indexId,
    indexLink: task.index.link,
    hostId: task.hostId,
    productVersion: task.productVersion,
    lineage: snapshot.lineage,
    parents: snapshot.parents,
    createTimeMicros: snapshot.wallTimeMicros,
    positionMicros: snapshot.positionMicros,
    window: { ...snapshot.window, latestMicros: snapshot.wallTimeMicros },
    documents: snapshot.documents,
    versions: snapshot.versions,
    segments: [...(kept ?? chain), ...fresh.map(({ segment }) => segment)],
    previousManifestSha256: before && "file" in before ? before.file.sha256 : "",
    ...(snapshot.lastRecord && { lastRecord: snapshot.lastRecord }),
  });
  report({ stage: "writing", bytesTotal: staged.reduce((sum, { segment }) => sum + segment.sizeBytes, 0) });
  let bytesDone = 0;
  const { bytesWritten, verified, warnings: more } = await writer.commit(staged, manifest, {
    signal,
    store: task.store,
    readBack: async ({ segment, path }) => {
      // What was merged was read back where it was made: on the same disk, before it got its name.
      if (segment !== task.merged?.segment) await engine.readBack({ ...segment, path }, signal);
    },
    onBytes: (count) => report({ bytesDone: (bytesDone += count) }),
  });
  for (const warning of more) report({ warning });
  report({ stage: "removing unused files" });
  const all = writer.existing.flatMap((found) => ("file" in found ? [found.file.manifest] : []));
  const unused = own.map((file) => file.manifest);
  // A manifest that cannot be read may need any segment: then only manifests go.
  const spared = warnings.length === 0 ? [] : unused.flatMap(({ segments }) => segments);
  const newest = { ...manifest.manifest, segments: [...manifest.manifest.segments, ...spared] };
  const keep = [newest, ...all.filter((one) => !unused.includes(one))];
  await writer.removeUnused(unused, keep).catch((error: unknown) => {
    // The backup is finished: files that are no longer needed only take room until the next one removes them.
    const { message } = HostError.from(fromFileError(error, "Removing files that are no longer needed"));
    warnings.push(message);
  });
  if (chainThere?.damaged) warnings.push(`The last check of ${chainThere.file.name} found damage, so it was not built on: everything was written anew.`);
  return { manifest, segmentsWritten: staged.length, bytesWritten, verified, warnings: [...warnings, ...more] };
}

/** The manifests whose backups are the beginning of this very log, newest first. All others are somebody else's and stay. */
export async function ownManifests(writer: Pick<ContainerWriter, "existing">, engine: Engine, snapshot: Pick<Snapshot, "indexId" | "lineage">): Promise<ManifestFile[]> {
  const own: ManifestFile[] = [];
  for (const found of writer.existing) {
    if (!("file" in found)) continue;
    const { indexId, lineage, lastRecord } = found.file.manifest;
    if (indexId !== snapshot.indexId || lineage !== snapshot.lineage) continue;
    if (lastRecord === undefined || (await engine.holds(lastRecord))) own.push(found.file);
  }
  return own;
}

/** The newest of them, whether all it lists is there, and whether its last check found damage. */
export async function findChain(writer: Pick<ContainerWriter, "holds">, [newest]: ManifestFile[], isDamaged: BackupTask["isDamaged"]): Promise<{ file: ManifestFile; whole: boolean; damaged: boolean } | undefined> {
  if (!newest) return undefined;
  const found = { file: newest, damaged: isDamaged?.(newest.sha256) ?? false };
  for (const segment of newest.manifest.segments) if (!(await writer.holds(segment))) return { ...found, whole: false };
  return { ...found, whole: true };
}

async function stage(seams: Seams, task: BackupTask, engine: Engine, snapshot: Snapshot, plan: BackupPlan, signal: AbortSignal, report: Report): Promise<StagedSegment[]> {
  if (plan.kind === "unchanged") return [];
  const path = join(task.writer.stagingDirectory, temporaryName(seams));
  const content = await engine.exportSegment({
    snapshot,
    kind: plan.kind,
    afterMicros: plan.kind === "delta" ? plan.afterMicros : 0,
    path,
    signal,
    onProgress: (rows) => report({ documentsDone: rows }),
  });
  await seams.step("backup:segment-staged");
  const segment: Segment = { ...content, name: segmentName(content) };
  return [{ segment, path }];
}

function greatestNumber(writer: ContainerWriter): number {
  return Math.max(0, ...writer.existing.map(({ name }) => parseManifestName(name)?.number ?? 0));
}
