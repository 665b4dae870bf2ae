import { join } from "node:path";
import type { Destination, ObjectInfo } from "../destination/destination.js";
import { fetchObject } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import type { ContainerReader, FoundManifest, StagedSegment } from "./container.js";
import { openDirectoryReader } from "./directory-reader.js";
import { errorWithDisplayName, withDisplayName } from "./display-name.js";
import { openRemoteFile } from "./remote-file.js";

/** Location of backups. */
export interface Location {
  destination: Destination;
  /** Name of an archive. Default: the destination itself is a container of type DIRECTORY. */
  object?: string | undefined;
}

/** Options of openReader. */
export interface OpenReaderOptions {
  /** Directory to which an archive is fetched unless it is a local file. */
  temporaryDirectory: string;
  signal: AbortSignal;
  /** Receives the bytes fetched so far and the size, which is 0 if unknown. */
  onFetchedBytes?(done: number, total: number): void;
}

/**
 * Opens a location for reading. Throws BACKUP_NOT_FOUND if it does not exist. Closing the reader
 * closes the destination.
 */
export async function openReader(
  platform: ReaderPlatform,
  { destination, object }: Location,
  options: OpenReaderOptions,
): Promise<ContainerReader> {
  if (object === undefined) return openDirectoryReader(platform, destination);
  const close = () => destination.close();
  try {
    const reader = await openArchive(platform, destination, object, options);
    return withDisplayName(reader, destination.displayName(object), close);
  } catch (error) {
    await close();
    throw fromFileError(error, `Reading the backup ${destination.displayName(object)}`);
  }
}

type ReaderPlatform = Pick<Platform, "files" | "randomHex">;

async function openArchive(
  platform: ReaderPlatform,
  destination: Destination,
  object: string,
  options: OpenReaderOptions,
): Promise<ContainerReader> {
  const { localPath, openLocal } = destination;
  const info = await destination.stat(object, options.signal);
  if (!localPath || !openLocal) {
    // A server that only serves files does not tell their size without reading them.
    return info === undefined
      ? openFetched(platform, destination, object, options)
      : RemoteArchive.open(platform, destination, object, info, options);
  }
  const name = destination.displayName(object);
  if (info === undefined) {
    throw new HostError("BACKUP_NOT_FOUND", `Backup not found: ${name} does not exist.`, {
      metadata: { path: name },
    });
  }
  const path = localPath.call(destination, object);
  const { openZipReader } = await import("./zip-reader.js");
  return openZipReader(path, () => openLocal.call(destination, object)).catch((error: unknown) => {
    throw errorWithDisplayName(error, path, name);
  });
}

/** Fetches an archive. Closing the reader removes the copy. */
async function openFetched(
  { files, randomHex }: ReaderPlatform,
  destination: Destination,
  object: string,
  { temporaryDirectory, signal, onFetchedBytes: onBytes }: OpenReaderOptions,
): Promise<ContainerReader> {
  const path = join(temporaryDirectory, `${temporaryPrefix}fetched-${randomHex(8)}.zip`);
  const remove = () => files.remove(path).catch(() => {});
  await fetchObject({ files }, destination, object, path, {
    signal,
    maxBytes: Number.MAX_SAFE_INTEGER,
    ...(onBytes && { onBytes }),
  });
  try {
    const { openZipReader } = await import("./zip-reader.js");
    const reader = await openZipReader(path, () => files.openToRead(path));
    return withDisplayName(reader, destination.displayName(object), remove);
  } catch (error) {
    await remove();
    throw errorWithDisplayName(error, path, destination.displayName(object));
  }
}

/** An archive whose directory and manifests are read in place. It is fetched when its segments are needed. */
class RemoteArchive implements ContainerReader {
  readonly kind = "ZIP";
  readonly displayName: string;
  readonly #inPlace: ContainerReader;
  readonly #fetchWhole: () => Promise<ContainerReader>;
  #whole: Promise<ContainerReader> | undefined;

  private constructor(inPlace: ContainerReader, fetchWhole: () => Promise<ContainerReader>) {
    this.#inPlace = inPlace;
    this.displayName = inPlace.displayName;
    this.#fetchWhole = fetchWhole;
  }

  static async open(
    platform: ReaderPlatform,
    destination: Destination,
    object: string,
    info: ObjectInfo,
    options: OpenReaderOptions,
  ): Promise<RemoteArchive> {
    const { signal } = options;
    const name = destination.displayName(object);
    const { openZipReader } = await import("./zip-reader.js");
    const inPlace = await openZipReader(name, async () =>
      openRemoteFile(destination, object, info, signal),
    );
    return new RemoteArchive(inPlace, async () => {
      const whole = await openFetched(platform, destination, object, options);
      const after = await destination.stat(object, signal);
      if (after?.version === info.version) return whole;
      await whole.close();
      throw new HostError(
        "SOURCE_CHANGED",
        `The archive ${name} was replaced during the read. Nothing was changed. Retry.`,
        { metadata: { path: name } },
      );
    });
  }

  manifests(signal: AbortSignal): Promise<FoundManifest[]> {
    return this.#inPlace.manifests(signal);
  }

  sizesOf(names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#inPlace.sizesOf(names, signal);
  }

  async fetch(
    wanted: StagedSegment[],
    signal: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<void> {
    await (await this.#opened()).fetch(wanted, signal, onBytes);
  }

  async *bytesOf(
    segment: Pick<StagedSegment["segment"], "name" | "sizeBytes">,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    yield* (await this.#opened()).bytesOf(segment, signal);
  }

  async close(): Promise<void> {
    await this.#inPlace.close();
    const whole = await this.#whole?.catch(() => undefined);
    await whole?.close();
  }

  #opened(): Promise<ContainerReader> {
    return (this.#whole ??= this.#fetchWhole());
  }
}
