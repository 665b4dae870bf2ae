import { join } from "node:path";
import type { Destination, ObjectInfo } from "../destination/destination.js";
import { fetchObject } from "../destination/objects.js";
import type { DecryptWith } from "../encoding/encoding-call.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import { decryptArchive, isAgeFile, readHead, readLocalHead } from "./age-archive.js";
import type { Segment } from "../segment/manifest.js";
import type { ContainerReader, FoundManifest, ManifestTrust, StagedSegment } from "./container.js";
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
  /** Keys for an encrypted backup. */
  decryptWith?: DecryptWith | undefined;
  /** Manifests that it refuses are not used. Default: all are used. */
  trust?: ManifestTrust | undefined;
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
  const { decryptWith } = options;
  if (object === undefined)
    return { ...openDirectoryReader(platform, destination, options.trust), decryptWith };
  const close = () => destination.close();
  try {
    const reader = await openArchive(platform, destination, object, options);
    // A directory that was packed has encrypted segments.
    return {
      ...withDisplayName(reader, destination.displayName(object), close),
      decryptWith,
    };
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
    if (info === undefined) return openFetched(platform, destination, object, options);
    const head = await readHead(destination, object, info.sizeBytes, options.signal);
    return isAgeFile(head)
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
  if (
    info.sizeBytes > 0 &&
    isAgeFile(await readHead(destination, object, info.sizeBytes, options.signal))
  )
    return openDecrypted(platform, { path, name }, options);
  return openZipReader(path, () => openLocal.call(destination, object), options.trust).catch(
    (error: unknown) => {
      throw errorWithDisplayName(error, path, name);
    },
  );
}

/** Fetches an archive. Closing the reader removes the copy. */
async function openFetched(
  { files, randomHex }: ReaderPlatform,
  destination: Destination,
  object: string,
  options: OpenReaderOptions,
): Promise<ContainerReader> {
  const { temporaryDirectory, signal, onFetchedBytes: onBytes } = options;
  const path = join(temporaryDirectory, `${temporaryPrefix}fetched-${randomHex(8)}.zip`);
  const remove = () => files.remove(path).catch(() => {});
  await fetchObject({ files }, destination, object, path, {
    signal,
    maxBytes: Number.MAX_SAFE_INTEGER,
    ...(onBytes && { onBytes }),
  });
  try {
    const { openZipReader } = await import("./zip-reader.js");
    if (isAgeFile(await readLocalHead({ files }, path))) {
      const encrypted = { path, name: destination.displayName(object) };
      const reader = await openDecrypted({ files, randomHex }, encrypted, options);
      await remove();
      return reader;
    }
    const reader = await openZipReader(path, () => files.openToRead(path), options.trust);
    return withDisplayName(reader, destination.displayName(object), remove);
  } catch (error) {
    await remove();
    throw errorWithDisplayName(error, path, destination.displayName(object));
  }
}

/** Decrypts an archive that is a local file. Closing the reader removes the decrypted copy. */
async function openDecrypted(
  platform: ReaderPlatform,
  { path, name }: { path: string; name: string },
  { temporaryDirectory, signal, decryptWith, trust }: OpenReaderOptions,
): Promise<ContainerReader> {
  const { openZipReader } = await import("./zip-reader.js");
  const encrypted = { path, name, decryptWith };
  const decrypted = await decryptArchive(platform, encrypted, temporaryDirectory, signal);
  const remove = () => platform.files.remove(decrypted).catch(() => {});
  try {
    const reader = await openZipReader(
      decrypted,
      () => platform.files.openToRead(decrypted),
      trust,
    );
    return { ...withDisplayName(reader, name, remove), isDecrypted: true };
  } catch (error) {
    await remove();
    throw errorWithDisplayName(error, decrypted, name);
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
    const open = async () => openRemoteFile(destination, object, info, signal);
    const inPlace = await openZipReader(name, open, options.trust);
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
    segment: Pick<Segment, "name" | "sizeBytes" | "stored">,
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
