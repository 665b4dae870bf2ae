import { join } from "node:path";
import type { ContainerWriter, StagedSegment } from "../container/container.js";
import type { Retention } from "../destination/destination.js";
import type { ChainContent, Engine, RestorableWindow, Snapshot } from "../engine/engine.js";
import { HostError } from "../errors.js";
import {
  encodeManifest,
  fileBytesOf,
  type ManifestFile,
  type Segment,
  type SegmentEncryption,
  type StoredManifest,
} from "../segment/manifest.js";
import type { ContainerKind } from "../segment/description.js";
import { parseManifestName } from "../segment/format.js";
import { eachConcurrently } from "../io/each-concurrently.js";
import { temporaryName } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { DocumentIndex } from "../store/document-index.js";
import { replaceMerged } from "./schedule/merge-plan.js";
import {
  encodeSegment,
  encryptionOf,
  isPlain,
  stagingFor,
  type SegmentEncoding,
} from "./encode-segment.js";
import {
  encryptionChange,
  encryptionWarnings,
  readersOf,
  requireEncryption,
} from "./encryption-change.js";
import { planBackup, type BackupPlan } from "./plan.js";
import type { Report } from "./progress.js";
import type { WrittenManifests } from "./written-manifests.js";

/** Input of a backup. */
export interface BackupTask {
  index: DocumentIndex;
  writer: ContainerWriter;
  hostId: string;
  productVersion: string;
  /** Writes a new base instead of a delta. */
  full: boolean;
  /** DIRECTORY: keeps earlier backups of the same history. Default: they are removed. */
  keepEarlier?: boolean;
  /** ZIP: stores files without compression. */
  store: boolean;
  /** Until when, and how, the store locks the files of the backup. Default: no lock. */
  retention?: Retention | undefined;
  /** Signs the bytes of the manifest. Returns the text of a signature file. Default: not signed. */
  sign?: ((bytes: Uint8Array) => string) | undefined;
  /** Directory in the data directory, for databases of segments that will be encrypted. */
  temporaryDirectory: string;
  /** How new segments are stored. */
  encoding: SegmentEncoding;
  /** Who can read the backup: its segments, or the archive as a whole. Undefined: it is not encrypted. */
  encryption: SegmentEncryption | undefined;
  container: ContainerKind;
  /** DIRECTORY: continues a chain whose segments are encrypted otherwise, or not at all. Default: a new base. */
  keepChain?: boolean;
  /** Writes in the clear although existing backups are encrypted. Default: ENCRYPTION_REQUIRED. */
  unencrypted?: boolean;
  /** DIRECTORY: always appends a delta to a complete chain, which is merged in the background. Default: false. */
  append?: boolean;
  /** Whether the last verification of the backup with this manifest found damage; such a backup is not extended. */
  isDamaged?: (manifestSha256: string) => boolean;
  /** The URI of the destination, for messages. */
  destination: string;
  /** The destination in the record of written manifests: equal for every way to write its URI. */
  identity: string;
  written: WrittenManifests;
  /** A merged segment that replaces the segments of the chain in its range: staged for the destination and verified. */
  merged?: StagedSegment;
  /** Called when the backup is complete, durable and verified, before what it replaces is removed. */
  onCommitted?(manifest: ManifestFile): void;
}

/** Output of a backup. */
export interface BackupRun {
  manifest: ManifestFile;
  segmentsWritten: number;
  bytesWritten: number;
  verified: boolean;
  /** DIRECTORY: whether the destination had no backup of this index. */
  foundNone: boolean;
  warnings: string[];
}

/** Writes one backup, which is complete, durable and verified when the promise resolves. The caller closes the writer. */
export async function runBackup(
  platform: Platform,
  task: BackupTask,
  signal: AbortSignal,
  report: Report,
): Promise<BackupRun> {
  const { lease } = task.writer;
  try {
    return await exportAndWrite(platform, task, AbortSignal.any([signal, lease.signal]), report);
  } catch (error) {
    // If another backup took over the lease and removed files of this one, report that as the cause.
    if (!signal.aborted) await lease.assertHeld();
    throw error;
  }
}

async function exportAndWrite(
  platform: Platform,
  task: BackupTask,
  signal: AbortSignal,
  report: Report,
): Promise<BackupRun> {
  return task.index.withEngine(async (engine) => {
    report({ stage: "snapshot" });
    const snapshot = await engine.snapshot();
    try {
      await platform.failpoint("backup:snapshot-taken");
      return await writeBackup(platform, task, engine, snapshot, signal, report);
    } finally {
      await snapshot.release();
    }
  });
}

async function writeBackup(
  platform: Platform,
  task: BackupTask,
  engine: Engine,
  snapshot: Snapshot,
  signal: AbortSignal,
  report: Report,
): Promise<BackupRun> {
  const { writer } = task;
  const warnings: string[] = [];
  for (const found of writer.existing) {
    if (!("problem" in found)) continue;
    warnings.push(
      `The manifest ${found.name} at the destination cannot be used (${found.problem}). It and its segments were not changed.`,
    );
  }
  const { own, strangers } = await ownManifests(writer, engine, snapshot, task.written);
  requireRoom(writer.existing.length - (task.keepEarlier ? 0 : own.length));
  const chainThere = await findChain(writer, own, task.isDamaged);
  const foundNone =
    task.container === "DIRECTORY" &&
    writer.existing.every(
      (found) => "file" in found && found.file.manifest.indexId !== snapshot.indexId,
    );
  const before = {
    existing: writer.existing,
    hasEncryptedFiles: () => writer.hasEncryptedFiles?.(),
    previous: chainThere?.file,
    indexId: snapshot.indexId,
  };
  await requireEncryption(task, before);
  const plan = planBackup({
    snapshot,
    chain: chainThere,
    strangers: strangers.length,
    full: task.full,
    append: task.append ?? false,
    newBase: encryptionChange(task, before),
  });
  warnings.push(
    ...encryptionWarnings(task, before, plan.kind !== "base"),
    ...(foundNone ? missingWarnings(task, snapshot) : []),
    ...strangerWarnings(strangers, plan),
    ...otherIndexWarnings(writer.existing, snapshot),
  );
  report({ stage: "exporting", documentsTotal: snapshot.versions });
  const fresh = await stage(platform, task, engine, snapshot, plan, signal, report);
  const chain =
    plan.kind === "base"
      ? []
      : plan.previous.manifest.segments.slice(0, plan.kind === "delta" ? plan.keep : undefined);
  const kept = task.merged === undefined ? undefined : replaceMerged(chain, task.merged.segment);
  const staged = kept !== undefined && task.merged !== undefined ? [task.merged, ...fresh] : fresh;
  const encoded = manifestOf(task, snapshot, [
    ...(kept ?? chain),
    ...fresh.map(({ segment }) => segment),
  ]);
  const manifest: ManifestFile = { ...encoded, signature: task.sign?.(encoded.bytes) };
  report({
    stage: "writing",
    bytesTotal: staged.reduce((sum, { segment }) => sum + fileBytesOf(segment), 0),
  });
  let bytesDone = 0;
  // Before the manifest is written: a backup that is not in the record is never extended, and an entry without a backup does no harm.
  const unrecorded = await task.written.add(task.identity, {
    sha256: manifest.sha256,
    indexId: snapshot.indexId,
    lastRecord: snapshot.lastRecord,
    readers: readersOf(task.encryption),
  });
  if (unrecorded !== undefined) warnings.push(unrecorded);
  const {
    bytesWritten,
    verified,
    warnings: more,
  } = await writer
    .commit(staged, manifest, {
      signal,
      store: task.store,
      retention: task.retention,
      readBack: async ({ segment, path }) => {
        // A merged segment is read back when it is created.
        if (segment === task.merged?.segment) return;
        const { temporaryDirectory } = task;
        const options = { temporaryDirectory, signal };
        requireCounts(await engine.readBack({ ...segment, path }, options), snapshot);
      },
      onBytes: (count) => report({ bytesDone: (bytesDone += count) }),
    })
    .catch((error: unknown) => {
      task.written.drop(task.identity, manifest.sha256);
      throw error;
    });
  task.onCommitted?.(manifest);
  for (const warning of more) report({ warning });
  report({ stage: "removing unused files" });
  await writer.removeUnused(task.keepEarlier ? [] : own).catch((error: unknown) => {
    // The backup is complete; files that it no longer needs only take space until the next one removes them.
    const { message } = HostError.from(
      fromFileError(error, "Removing files that are no longer needed"),
    );
    warnings.push(message);
  });
  if (task.container === "DIRECTORY" && chainThere && !chainThere.whole)
    warnings.push(
      `A segment of ${chainThere.file.name} is missing or has another size: a new base was written instead of extending it. Check the storage.`,
    );
  if (chainThere?.damaged)
    warnings.push(
      `The last verification of ${chainThere.file.name} found damage: a new base was written instead of extending it.`,
    );
  return {
    manifest,
    segmentsWritten: staged.length,
    bytesWritten,
    verified,
    foundNone,
    warnings: [...warnings, ...more],
  };
}

function manifestOf(task: BackupTask, snapshot: Snapshot, segments: Segment[]): ManifestFile {
  const encryption = encryptionOf(task.encoding);
  const before = task.writer.existing[0];
  return encodeManifest({
    number: nextNumber(task.writer),
    indexId: snapshot.indexId,
    indexLink: task.index.link,
    hostId: task.hostId,
    productVersion: task.productVersion,
    lineage: snapshot.lineage,
    parents: snapshot.parents,
    createTimeMicros: snapshot.wallTimeMicros,
    positionMicros: snapshot.positionMicros,
    window: windowOf(snapshot, encryption),
    documents: snapshot.documents,
    versions: snapshot.versions,
    segments,
    previousManifestSha256: before && "file" in before ? before.file.sha256 : "",
    ...(encryption ? { encryption } : snapshot.lastRecord && { lastRecord: snapshot.lastRecord }),
  });
}

/** The manifest of an encrypted backup names no document. */
function windowOf(
  { window, wallTimeMicros }: Snapshot,
  encryption: SegmentEncryption | undefined,
): RestorableWindow {
  const { boundingLink, ...times } = window;
  return {
    ...times,
    latestMicros: wallTimeMicros,
    ...(!encryption && boundingLink !== undefined && { boundingLink }),
  };
}

/** INDEX_DAMAGED if the counts of the index, which the manifest will state, differ from its log, which a restore counts. */
function requireCounts(base: ChainContent | undefined, snapshot: Snapshot): void {
  if (
    base === undefined ||
    (base.documents === snapshot.documents && base.versions === snapshot.versions)
  )
    return;
  throw new HostError(
    "INDEX_DAMAGED",
    `Cannot back up the index: it counts ${snapshot.documents} documents with ${snapshot.versions} versions, and its log has ${base.documents} with ${base.versions}. Run holdfast check.`,
  );
}

/** Warns that the backups that this host wrote to a directory are gone, as if it were another one. */
function missingWarnings(
  { written, identity, destination }: BackupTask,
  { indexId }: Pick<Snapshot, "indexId">,
): string[] {
  if (written.last(identity, indexId) === undefined) return [];
  return [
    `The backups that this host wrote to ${destination} are no longer there: it was moved or emptied, or another disk is mounted. This backup begins a new chain, and nothing before it can be restored from there. If you still have the earlier backups, keep them.`,
  ];
}

/** Warns of backups of this index that are not in the record: of a copy of the data directory, older than a lost record, or forged. */
function strangerWarnings(strangers: readonly StoredManifest[], plan: BackupPlan): string[] {
  const [newest] = strangers;
  if (newest === undefined || plan.kind !== "base") return [];
  return [
    `${strangers.length === 1 ? "A backup" : `${strangers.length} backups`} of this index at the destination, ${newest.name} the newest, ${strangers.length === 1 ? "is" : "are"} not in the record of this host; a copy of the data directory or another program may have written there. A new base was written, and the existing files were not changed. Verify them, and prune those that are not needed.`,
  ];
}

/** Warns that "the newest backup" of the destination may be one of another index. */
function otherIndexWarnings(
  existing: ContainerWriter["existing"],
  snapshot: Pick<Snapshot, "indexId" | "positionMicros">,
): string[] {
  const newer = existing.find(
    (found) =>
      "file" in found &&
      found.file.manifest.indexId !== snapshot.indexId &&
      found.file.manifest.positionMicros > snapshot.positionMicros,
  );
  return newer === undefined
    ? []
    : [
        `The destination also contains a newer backup of another index, ${newer.name}. Name the backup in a restore, or use one directory per host.`,
      ];
}

/**
 * Returns the manifests of this log: with its index and lineage, with a last row that it contains, and in the record of this host. A
 * backup may extend or remove only these. `strangers` match otherwise, are not in the record, and are not older than the own ones:
 * the record has the last few only.
 */
export async function ownManifests(
  writer: Pick<ContainerWriter, "existing" | "existingIsOwn">,
  engine: Engine,
  snapshot: Pick<Snapshot, "indexId" | "lineage">,
  written: Pick<WrittenManifests, "find">,
): Promise<{ own: StoredManifest[]; strangers: StoredManifest[] }> {
  const own: StoredManifest[] = [];
  const strangers: StoredManifest[] = [];
  for (const found of writer.existing) {
    if (!("file" in found)) continue;
    const { indexId, lineage, lastRecord } = found.file.manifest;
    if (indexId !== snapshot.indexId || lineage !== snapshot.lineage) continue;
    const entry = written.find(found.file.sha256);
    const known = writer.existingIsOwn === true || entry !== undefined;
    // The manifest of an encrypted backup does not name its last row; the record does.
    const row = lastRecord ?? entry?.lastRecord;
    if (known && (row === undefined || (await engine.contains(row)))) own.push(found.file);
    else strangers.push(found.file);
  }
  const newest = own.reduce((most, { manifest }) => Math.max(most, manifest.number), 0);
  return { own, strangers: strangers.filter(({ manifest }) => manifest.number > newest) };
}

/** The newest of the manifests, whether all of its segments are present, and whether its last verification found damage. */
export async function findChain(
  writer: Pick<ContainerWriter, "contains">,
  [newest]: StoredManifest[],
  isDamaged: BackupTask["isDamaged"],
): Promise<{ file: StoredManifest; whole: boolean; damaged: boolean } | undefined> {
  if (!newest) return undefined;
  const found = { file: newest, damaged: isDamaged?.(newest.sha256) ?? false };
  return { ...found, whole: await writer.contains(newest.manifest.segments) };
}

async function stage(
  platform: Platform,
  task: BackupTask,
  engine: Engine,
  snapshot: Snapshot,
  plan: BackupPlan,
  signal: AbortSignal,
  report: Report,
): Promise<StagedSegment[]> {
  if (plan.kind === "unchanged") return [];
  const { stagingDirectory } = task.writer;
  const { encoding, temporaryDirectory } = task;
  const directory = stagingFor(encoding, { stagingDirectory, temporaryDirectory });
  const path = join(directory, temporaryName(platform));
  try {
    const content = await engine.exportSegment({
      snapshot,
      kind: plan.kind,
      afterMicros: plan.kind === "delta" ? plan.afterMicros : 0,
      path,
      signal,
      onProgress: (rows) => report({ documentsDone: rows }),
    });
    await platform.failpoint("backup:segment-staged");
    // The rows of a stored form cannot be verified later.
    if (isPlain(encoding))
      return [await encodeSegment({ content, path }, encoding, stagingDirectory, signal)];
    let staged: StagedSegment | undefined;
    const verify = async (either: AbortSignal) => {
      const options = { temporaryDirectory, signal: either };
      requireCounts(await engine.readBack({ ...content, path }, options), snapshot);
    };
    const encode = async (either: AbortSignal) => {
      staged = await encodeSegment({ content, path }, encoding, stagingDirectory, either);
    };
    await eachConcurrently([verify, encode], 2, signal, (work, either) => work(either));
    await platform.files.remove(path);
    return staged === undefined ? [] : [staged];
  } catch (error) {
    await platform.files.remove(path).catch(() => {});
    throw error;
  }
}

/** Throws DESTINATION_FULL unless a backup can be added to as many as are there. */
export function requireRoom(count: number): void {
  if (count < limits.manifestsPerDestination) return;
  throw new HostError(
    "DESTINATION_FULL",
    `The destination has ${count} backups, and at most ${limits.manifestsPerDestination} are kept at one. Nothing was written. Prune backups with holdfast prune, or set a retention in the policy.`,
  );
}

/** Returns the next number. Names are unique by number and digest, so the greatest number can repeat. */
function nextNumber({ existing }: ContainerWriter): number {
  const numbers = existing.map(({ name }) => parseManifestName(name)?.number ?? 0);
  return Math.min(Math.max(0, ...numbers) + 1, limits.maxManifestNumber);
}
