import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LineageParent, RestorableWindow } from "../../engine/engine.js";
import {
  BackupState,
  Container,
  SegmentKind,
  VerifyLevel,
  type BackupDescriptionSchema,
  type BackupRecordSchema,
  type HostSchema,
  type StorageEngineSchema,
  type IndexSchema,
  type ListedBackupSchema,
  type OpenedIndexSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type {
  BackupDescription,
  ContainerKind,
  SegmentDescription,
} from "../../segment/description.js";
import type { OpenedDescription } from "../../backup/opened-description.js";
import type { BackupListing } from "../../backup/listing.js";
import type { BackupRecord, HostDescription } from "../../service/host/description.js";
import type { Verification } from "../../backup/verification.js";
import { toCompression } from "./encryption.js";
import { toInt64 } from "./numbers.js";

const containers: Record<ContainerKind, Container> = {
  ZIP: Container.ZIP,
  DIRECTORY: Container.DIRECTORY,
  STREAM: Container.STREAM,
};

/**
 * Selects the container kind: always a stream for HTTP destinations. If unspecified, an archive for
 * names ending in .zip and for transfers, otherwise a directory.
 */
export function containerKind(container: Container, uri: string): ContainerKind {
  if (/^https?:/i.test(uri)) return "STREAM";
  switch (container) {
    case Container.ZIP:
      return "ZIP";
    case Container.DIRECTORY:
      return "DIRECTORY";
    case Container.STREAM:
      return "STREAM";
    default:
      return /^transfer:|^[^?#]*\.zip\/?([?#]|$)/i.test(uri) ? "ZIP" : "DIRECTORY";
  }
}

/** Converts the description of a backup. */
export function toBackup(
  backup: BackupDescription,
): MessageInitShape<typeof BackupDescriptionSchema> {
  return {
    name: backup.name,
    manifestSha256: backup.manifestSha256,
    number: toInt64(backup.number),
    uri: backup.uri,
    container: containers[backup.container],
    indexId: backup.indexId,
    indexLink: backup.indexLink,
    lineage: backup.lineage,
    hostId: backup.hostId,
    productVersion: backup.productVersion,
    createTimeMicros: toInt64(backup.createTimeMicros),
    positionMicros: toInt64(backup.positionMicros),
    window: toWindow(backup.window),
    documents: toInt64(backup.documents),
    versions: toInt64(backup.versions),
    sizeBytes: toInt64(backup.sizeBytes),
    segments: backup.segments.map(toSegment),
    parents: backup.parents.map(toParent),
    encrypted: backup.encryption !== undefined,
    recipients: [...(backup.encryption?.recipients ?? [])],
  };
}

/** Converts an entry of a backup listing. */
export function toListedBackup(
  listing: BackupListing,
): MessageInitShape<typeof ListedBackupSchema> {
  return {
    name: listing.name,
    uri: listing.uri,
    state: BackupState[listing.state],
    problem: listing.problem ?? "",
    pinned: listing.pinned ?? false,
    pinReason: listing.pinReason ?? "",
    ...(listing.backup && { backup: toBackup(listing.backup) }),
    ...(listing.lastVerification && { lastVerification: toVerification(listing.lastVerification) }),
    modifiedMicros: toInt64(listing.modifiedMicros ?? 0),
  };
}

/** Converts the result of a verification. */
export function toVerification({
  level,
  timeMicros,
  passed,
  problem = "",
  records,
  hostId = "",
  documents = 0,
  restoreMicros = 0,
  compared = false,
}: Verification) {
  return {
    level: VerifyLevel[level],
    timeMicros: toInt64(timeMicros),
    passed,
    problem,
    records: toInt64(records),
    hostId,
    documents: toInt64(documents),
    restoreMicros: toInt64(restoreMicros),
    compared,
  };
}

/** Converts the description of a host. */
export function toHost(host: HostDescription): MessageInitShape<typeof HostSchema> {
  const { startTimeMicros, indexes, disk, backups, backupHealth, backupMaxAgeMicros, ...others } =
    host;
  const { engine, opened, factories, ...same } = others;
  return {
    ...same,
    startTimeMicros: toInt64(startTimeMicros),
    indexes: indexes.map(toIndex),
    factories: factories.map(({ path, ...factory }) => ({ link: path, ...factory })),
    openedIndexes: opened.map(toOpenedIndex),
    backups: backups.map(toBackupRecord),
    engine: toEngine(engine),
    backupsHealthy: backupHealth.healthy,
    backupProblem: backupHealth.problem,
    backupMaxAgeMicros: toInt64(backupMaxAgeMicros),
    freeBytes: toInt64(disk.freeBytes),
  };
}

/** Converts the description of an opened index. */
export const toOpenedIndex = ({
  source,
  ...opened
}: OpenedDescription): MessageInitShape<typeof OpenedIndexSchema> => ({
  indexLink: opened.link,
  source: source?.uri ?? "",
  backupName: source?.name ?? "",
  sourceIndexLink: opened.sourceIndexLink,
  targetTimeMicros: toInt64(opened.targetTimeMicros),
  documents: toInt64(opened.documents),
  versions: toInt64(opened.versions),
  sizeBytes: toInt64(opened.sizeBytes),
  openTimeMicros: toInt64(opened.openTimeMicros),
  expireTimeMicros: toInt64(opened.expireTimeMicros),
  warnings: opened.warnings,
});

function toEngine({
  name,
  database,
}: HostDescription["engine"]): MessageInitShape<typeof StorageEngineSchema> {
  if (!database) return { name };
  const { status, leads, term, hosts } = database;
  return {
    name,
    database: {
      name: database.name,
      schema: database.schema,
      reachable: status !== undefined,
      serverVersion: status?.version ?? "",
      synchronous: status?.isSynchronous ?? false,
      standbys: (status?.standbys ?? []).map(({ lagBytes, ...same }) => ({
        ...same,
        ...(lagBytes !== undefined && { lagBytes: toInt64(lagBytes) }),
      })),
      leader: hosts.find(({ isLeader }) => isLeader)?.id ?? "",
      term: toInt64(leads ? term : 0),
      peers: hosts.map(({ id, addresses, version, startTimeMicros, lastSeenMicros, isAlive }) => ({
        id,
        httpAddress: addresses.http,
        grpcAddress: addresses.grpc,
        version,
        startTimeMicros: toInt64(startTimeMicros),
        lastSeenMicros: toInt64(lastSeenMicros),
        alive: isAlive,
      })),
    },
  };
}

function toBackupRecord({
  indexLink,
  destination,
  backupName,
  lastError,
  warnings = [],
  window,
  lastProvenRestore,
  ...numbers
}: BackupRecord): MessageInitShape<typeof BackupRecordSchema> {
  return {
    indexLink,
    destination,
    backupName,
    lastError,
    warnings: [...warnings],
    lastSuccessMicros: toInt64(numbers.lastSuccessMicros),
    positionMicros: toInt64(numbers.positionMicros),
    bytesWritten: toInt64(numbers.bytesWritten),
    sizeBytes: toInt64(numbers.sizeBytes),
    durationMicros: toInt64(numbers.durationMicros),
    lastFailureMicros: toInt64(numbers.lastFailureMicros),
    ...(window && { window: toWindow(window) }),
    ...(lastProvenRestore && { lastProvenRestore: toVerification(lastProvenRestore) }),
  };
}

function toIndex(index: HostDescription["indexes"][number]): MessageInitShape<typeof IndexSchema> {
  return {
    link: index.link,
    inMemory: index.inMemory,
    indexId: index.indexId,
    lineage: index.lineage,
    parents: index.parents.map(toParent),
    formatVersion: index.formatVersion,
    positionMicros: toInt64(index.positionMicros),
    documents: toInt64(index.documents),
    versions: toInt64(index.versions),
    sizeBytes: toInt64(index.sizeBytes),
    window: toWindow(index.window),
    problem: index.problem ?? "",
  };
}

function toParent({ indexId, lineage, positionMicros }: LineageParent) {
  return { indexId, lineage, positionMicros: toInt64(positionMicros) };
}

/** Converts a restorable window. */
export function toWindow(window: RestorableWindow) {
  return {
    earliestMicros: toInt64(window.earliestMicros),
    latestMicros: toInt64(window.latestMicros),
    boundingLink: window.boundingLink ?? "",
    historyStartMicros: toInt64(window.historyStartMicros),
  };
}

function toSegment(segment: SegmentDescription) {
  return {
    name: segment.name,
    kind: segment.kind === "base" ? SegmentKind.BASE : SegmentKind.DELTA,
    sizeBytes: toInt64(segment.sizeBytes),
    sha256: segment.sha256,
    firstMicros: toInt64(segment.firstMicros),
    lastMicros: toInt64(segment.lastMicros),
    records: toInt64(segment.records),
    storedBytes: toInt64(segment.storedBytes ?? segment.sizeBytes),
    compression: toCompression(segment.compression ?? "none"),
    encrypted: segment.encrypted ?? false,
  };
}
