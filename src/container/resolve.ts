import type { Destination } from "../destination/destination.js";
import type { DestinationRegistry, OpenedUri } from "../destination/registry.js";
import type { DecryptWith, EncryptTo } from "../encoding/encoding-call.js";
import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import type { ContainerKind } from "../segment/description.js";
import type { StoredManifest } from "../segment/manifest.js";
import type { OwnArchives } from "./zip-writer.js";
import type { ContainerReader, ContainerWriter, ManifestTrust } from "./container.js";
import { openDirectoryWriter } from "./directory-writer.js";
import { isAgeObject } from "./age-archive.js";
import { openReader, type Location, type OpenReaderOptions } from "./open.js";

/** Dependencies of resolveTarget and resolveSource. */
export interface ContainerOptions {
  platform: Platform;
  registry: DestinationRegistry;
  /** Directory for packing and fetching archives, on the disk of the indexes. */
  temporaryDirectory: string;
  /** Manifests that it refuses are not used. Default: all are used. */
  trust?: ManifestTrust | undefined;
}

/** Target of a backup in a request. */
export interface TargetRequest {
  /** URI as in the request. */
  destination: string;
  container: ContainerKind;
  bearer?: string | undefined;
  /** As in ZipWriterOptions. */
  verify?: boolean | undefined;
  /** SHA-256 of the manifest of the base of an incremental archive. */
  since?: string | undefined;
}

/** A resolved target, which has not been written to yet. */
export interface BackupTarget {
  /** Name of the target in records and for comparing requests, without credentials. */
  readonly target: string;
  /** URI of the backup, without credentials. */
  readonly uri: string;
  /** Equal for every way to write the URI, for the host's record of what it wrote. */
  readonly identity: string;
  readonly container: ContainerKind;
  readonly destination: Destination;
  /** Waits for other writers, then opens the destination for one backup. */
  open(options: OpenTargetOptions, signal: AbortSignal): Promise<ContainerWriter>;
  /**
   * Returns existing backups and free space for a dry run, or undefined if the destination does not
   * provide them. Throws NOT_SUPPORTED for a lock without object lock.
   */
  inspect(
    options: Pick<OpenTargetOptions, "isLocked">,
    signal: AbortSignal,
  ): Promise<TargetContents | undefined>;
}

/** Options of BackupTarget.open. */
export interface OpenTargetOptions {
  /** Index whose backups may be replaced. */
  index: IndexIdentity;
  /** Approximate maximum size of the backup. */
  expectedBytes: number;
  /** Backup that `since` names. */
  base?: StoredManifest | undefined;
  /** Encrypts an archive. The segments of a directory are encrypted before they are stored. */
  encryptTo?: EncryptTo | undefined;
  /** Replaces an encrypted archive by one in the clear. Default: ENCRYPTION_REQUIRED. */
  unencrypted?: boolean | undefined;
  /** Archives that this host encrypted, which may be replaced although they cannot be read. */
  ownArchives?: OwnArchives | undefined;
  /** Whether the files of the backup will be locked. Throws NOT_SUPPORTED without object lock. */
  isLocked?: boolean | undefined;
  /** As in ZipWriterOptions. */
  onStage?(stage: string, bytesDone: number, bytesTotal: number): void;
}

/** Contents of a target before a backup. */
export interface TargetContents {
  /** Existing backups. Absent if the target is empty. */
  reader?: ContainerReader;
  /** Absent at a store, whose space is unknown. */
  freeBytes?: number;
}

/**
 * Resolves the URI and type of a backup to a destination, a container and, for archives, an object.
 * Throws DESTINATION_INVALID, REQUEST_INVALID and the errors of the scheme.
 */
export async function resolveTarget(
  options: ContainerOptions,
  request: TargetRequest,
): Promise<BackupTarget> {
  const { registry } = options;
  const { destination: uri, bearer, since } = request;
  const scheme = registry.schemeOf(uri);
  const container = containerFor(scheme.containers, request.container);
  if (since !== undefined && !scheme.incrementalArchives) {
    throw new HostError(
      "REQUEST_INVALID",
      "since requires the destination transfer:. Backups of type DIRECTORY are always incremental.",
      { metadata: { field: "since" } },
    );
  }
  const purpose = container === "DIRECTORY" ? "write objects" : "write archive";
  const opened = await scheme.open({ uri, purpose, bearer });
  const target = opened.target ?? opened.uri;
  return {
    target: since === undefined ? target : `${target}?since=${since}`,
    uri: opened.uri,
    identity: opened.identity ?? opened.uri,
    container,
    destination: opened.destination,
    open: (openOptions, signal) => openWriter(options, opened, request, openOptions, signal),
    async inspect({ isLocked = false }, signal) {
      const { destination, object } = opened;
      const locks =
        isLocked &&
        ((await destination.supportsObjectLock?.(signal)) ?? destination.capabilities.objectLock);
      if (isLocked && !locks) throw withoutObjectLock(destination.displayName(object));
      return inspectTarget(options, opened, signal);
    },
  };
}

async function openWriter(
  { platform, temporaryDirectory, trust }: ContainerOptions,
  { destination, object }: OpenedUri,
  { verify }: TargetRequest,
  {
    index,
    expectedBytes,
    base,
    encryptTo,
    unencrypted,
    ownArchives,
    isLocked,
    onStage,
  }: OpenTargetOptions,
  signal: AbortSignal,
): Promise<ContainerWriter> {
  // The capabilities of a store are known only then.
  await destination.probe?.(signal);
  if (isLocked && !destination.capabilities.objectLock)
    throw withoutObjectLock(destination.displayName(object));
  if (object === undefined) return openDirectoryWriter(platform, destination, signal, trust);
  const { openZipWriter } = await import("./zip-writer.js");
  return openZipWriter(
    platform,
    {
      destination,
      object,
      expectedBytes,
      ...(destination.capabilities.conditionalPut && { index }),
      ...(base !== undefined && { base }),
      encryptTo,
      temporaryDirectory,
      unencrypted,
      ownArchives,
      ...(verify !== undefined && { verify }),
      ...(onStage && { onStage }),
    },
    signal,
  );
}

const withoutObjectLock = (where: string) =>
  new HostError(
    "NOT_SUPPORTED",
    `Cannot lock the backup at ${where}: the destination has no object lock. Use an s3: destination whose bucket has object lock, or back up without a lock.`,
    { metadata: { capability: "objectLock" } },
  );

async function inspectTarget(
  { platform, temporaryDirectory, trust }: ContainerOptions,
  { destination, object }: OpenedUri,
  signal: AbortSignal,
): Promise<TargetContents | undefined> {
  if (!destination.freeBytes && !destination.capabilities.list) return undefined;
  const freeBytes = await destination.freeBytes?.();
  const space = freeBytes === undefined ? {} : { freeBytes };
  const exists =
    object === undefined
      ? ((await destination.exists?.()) ?? true)
      : // An empty file may be replaced by an archive.
        ((await destination.stat(object, signal))?.sizeBytes ?? 0) > 0;
  if (!exists) return space;
  // An encrypted archive is replaced as a whole, if at all, and cannot be read.
  if (object !== undefined && (await isAgeObject(destination, object, signal))) return space;
  const location = { destination, object };
  return {
    ...space,
    reader: await openReader(platform, location, { temporaryDirectory, signal, trust }),
  };
}

/** A resolved source of a restore. */
export interface BackupSource {
  /** Without credentials. */
  readonly uri: string;
  /** Packing of the backup. */
  readonly container: ContainerKind;
  readonly location: Location;
  /** How the backup is opened, and those below it. */
  readonly access: Omit<OpenReaderOptions, "signal">;
  /** Opens the backup for reading. Throws BACKUP_NOT_FOUND. */
  open(options: OpenSourceOptions, signal: AbortSignal): Promise<ContainerReader>;
}

/** Options of BackupSource.open. */
export interface OpenSourceOptions {
  /** As in OpenReaderOptions. */
  onFetchedBytes?(done: number, total: number): void;
}

/** Secrets for reading a backup. */
export interface SourceAccess {
  /** Bearer token for the origin of the URI. */
  bearer?: string | undefined;
  /** Keys for an encrypted backup. */
  decryptWith?: DecryptWith | undefined;
}

/**
 * Resolves the URI of an existing backup. Throws DESTINATION_INVALID and the errors of the scheme.
 */
export async function resolveSource(
  { platform, registry, temporaryDirectory, trust }: ContainerOptions,
  uri: string,
  { bearer, decryptWith }: SourceAccess = {},
): Promise<BackupSource> {
  const scheme = registry.schemeOf(uri);
  const opened = await scheme.open({ uri, purpose: "read", bearer });
  const wanted = opened.object === undefined ? "DIRECTORY" : "ZIP";
  const access = { decryptWith, trust, temporaryDirectory };
  return {
    uri: opened.uri,
    container: containerFor(scheme.containers, wanted),
    location: opened,
    access,
    open: (options, signal) => openReader(platform, opened, { ...options, ...access, signal }),
  };
}

/**
 * Returns the requested type if the scheme supports it, and STREAM for a scheme that only supports
 * streams.
 */
function containerFor(containers: readonly ContainerKind[], wanted: ContainerKind): ContainerKind {
  if (containers.includes(wanted)) return wanted;
  const [only] = containers;
  if (only === "STREAM") return only;
  if (wanted === "STREAM") {
    throw new HostError(
      "DESTINATION_INVALID",
      "A backup of type STREAM requires an http or https destination: Missing host in URI.",
      { metadata: { field: "destination" } },
    );
  }
  throw new HostError(
    "DESTINATION_INVALID",
    `This type of destination supports backups of type ${containers.join(" or ")}, not ${wanted}.`,
    { metadata: { field: "container" } },
  );
}
