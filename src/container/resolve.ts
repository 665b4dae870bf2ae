import type { Destination } from "../destination/destination.js";
import type { DestinationRegistry, OpenedUri } from "../destination/registry.js";
import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import type { ContainerKind } from "../segment/description.js";
import type { StoredManifest } from "../segment/manifest.js";
import type { ContainerReader, ContainerWriter } from "./container.js";
import { openDirectoryWriter } from "./directory-writer.js";
import { openReader, type Location } from "./open.js";

/** What containers are opened with, whatever they are. */
export interface ContainerOptions {
  platform: Platform;
  registry: DestinationRegistry;
  /** On the disk of the indexes: archives that are not local files are packed and fetched there. */
  temporaryDirectory: string;
}

/** Where a backup is to go, as a request names it. */
export interface TargetRequest {
  /** A URI, as it came. */
  destination: string;
  container: ContainerKind;
  bearer?: string | undefined;
  /** Whether an archive that was sent elsewhere is read back; as in ZipWriterOptions. */
  verify?: boolean | undefined;
  /** The SHA-256 of the manifest that an archive is to continue. */
  since?: string | undefined;
}

/** Where a backup goes: checked, but not written to. */
export interface BackupTarget {
  /** What records and idempotent requests call it: the same for the same request. Without credentials. */
  readonly target: string;
  /** Where the finished backup is. Without credentials. */
  readonly uri: string;
  readonly container: ContainerKind;
  readonly destination: Destination;
  /** Waits for other writers, then opens the destination for one backup. */
  open(options: OpenTargetOptions, signal: AbortSignal): Promise<ContainerWriter>;
  /** What is there and how much is free, for a dry run; undefined where only writing would tell. */
  inspect(signal: AbortSignal): Promise<TargetContents | undefined>;
}

export interface OpenTargetOptions {
  /** Whose backups may be replaced. */
  index: IndexIdentity;
  /** About the largest size that the backup may have, in bytes. */
  expectedBytes: number;
  /** The backup that `since` names. */
  base?: StoredManifest | undefined;
  /** As in ZipWriterOptions. */
  onStage?(stage: string, bytesDone: number, bytesTotal: number): void;
}

export interface TargetContents {
  /** Absent if nothing is there yet. */
  reader?: ContainerReader;
  freeBytes: number;
}

/**
 * Resolves a URI and a type of backup to a destination, a container and, for archives, the name of
 * an object. The only place that does.
 */
export async function resolveTarget(
  options: ContainerOptions,
  request: TargetRequest,
): Promise<BackupTarget> {
  const { platform, registry } = options;
  const { destination: uri, bearer, since } = request;
  const scheme = registry.schemeOf(uri);
  const container = containerFor(scheme.containers, request.container);
  if (since !== undefined && !scheme.incrementalArchives) {
    throw new HostError(
      "REQUEST_INVALID",
      "since is only for transfer: destinations; backups of type DIRECTORY are incremental by themselves.",
      { metadata: { field: "since" } },
    );
  }
  const purpose = container === "DIRECTORY" ? "write objects" : "write archive";
  const opened = await scheme.open({ uri, purpose, bearer });
  const target = opened.target ?? opened.uri;
  return {
    target: since === undefined ? target : `${target}?since=${since}`,
    uri: opened.uri,
    container,
    destination: opened.destination,
    open: (openOptions, signal) => openWriter(platform, opened, request, openOptions, signal),
    inspect: (signal) => inspectTarget(options, opened, signal),
  };
}

async function openWriter(
  platform: Platform,
  { destination, object }: OpenedUri,
  { verify }: TargetRequest,
  { index, expectedBytes, base, onStage }: OpenTargetOptions,
  signal: AbortSignal,
): Promise<ContainerWriter> {
  if (object === undefined) return openDirectoryWriter(platform, destination, signal);
  const { openZipWriter } = await import("./zip-writer.js");
  return openZipWriter(
    platform,
    {
      destination,
      object,
      expectedBytes,
      ...(destination.capabilities.conditionalPut && { index }),
      ...(base !== undefined && { base }),
      ...(verify !== undefined && { verify }),
      ...(onStage && { onStage }),
    },
    signal,
  );
}

async function inspectTarget(
  { platform, temporaryDirectory }: ContainerOptions,
  { destination, object }: OpenedUri,
  signal: AbortSignal,
): Promise<TargetContents | undefined> {
  if (!destination.freeBytes) return undefined;
  const freeBytes = await destination.freeBytes();
  const isThere =
    object === undefined
      ? ((await destination.exists?.()) ?? true)
      : // An empty file may be replaced by an archive.
        ((await destination.stat(object, signal))?.sizeBytes ?? 0) > 0;
  if (!isThere) return { freeBytes };
  const location = { destination, object };
  return {
    freeBytes,
    reader: await openReader(platform, location, { temporaryDirectory, signal }),
  };
}

/** Where a backup is read from. */
export interface BackupSource {
  /** Without credentials. */
  readonly uri: string;
  /** How the backup is packed, as its descriptions say. */
  readonly container: ContainerKind;
  readonly location: Location;
  open(options: OpenSourceOptions, signal: AbortSignal): Promise<ContainerReader>;
}

export interface OpenSourceOptions {
  /** As in OpenReaderOptions. */
  onFetchedBytes?(done: number, total: number): void;
}

/** Resolves the URI of an existing backup. */
export async function resolveSource(
  { platform, registry, temporaryDirectory }: ContainerOptions,
  uri: string,
  bearer?: string,
): Promise<BackupSource> {
  const scheme = registry.schemeOf(uri);
  const opened = await scheme.open({ uri, purpose: "read", bearer });
  const wanted = opened.object === undefined ? "DIRECTORY" : "ZIP";
  return {
    uri: opened.uri,
    container: containerFor(scheme.containers, wanted),
    location: opened,
    open: (options, signal) =>
      openReader(platform, opened, { ...options, temporaryDirectory, signal }),
  };
}

/** The wanted type where the scheme has it; the only one of a scheme whose destinations are all streams. */
function containerFor(containers: readonly ContainerKind[], wanted: ContainerKind): ContainerKind {
  if (containers.includes(wanted)) return wanted;
  const [only] = containers;
  if (only === "STREAM") return only;
  if (wanted === "STREAM") {
    throw new HostError(
      "DESTINATION_INVALID",
      "A backup of type STREAM needs an http or https destination: Missing host in URI.",
      { metadata: { field: "destination" } },
    );
  }
  throw new HostError(
    "DESTINATION_INVALID",
    `This kind of destination takes backups of type ${containers.join(" or ")}, not ${wanted}.`,
    { metadata: { field: "container" } },
  );
}
