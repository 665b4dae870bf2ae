import { join } from "node:path";
import type { Destination } from "../destination/destination.js";
import { fetchObject } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import type { ContainerReader } from "./container.js";
import { openDirectoryReader } from "./directory-reader.js";
import { errorWithDisplayName, withDisplayName } from "./display-name.js";

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
  platform: Pick<Platform, "files" | "randomHex">,
  { destination, object }: Location,
  options: OpenReaderOptions,
): Promise<ContainerReader> {
  if (object === undefined) return openDirectoryReader(platform, destination);
  const name = destination.displayName(object);
  const { openZipReader } = await import("./zip-reader.js");
  try {
    const { localPath, openLocal } = destination;
    if (localPath && openLocal) {
      const path = localPath.call(destination, object);
      if ((await destination.stat(object, options.signal)) === undefined) {
        throw new HostError("BACKUP_NOT_FOUND", `Backup not found: ${name} does not exist.`, {
          metadata: { path: name },
        });
      }
      const open = () => openLocal.call(destination, object);
      const reader = await openZipReader(path, open).catch((error: unknown) => {
        throw errorWithDisplayName(error, path, name);
      });
      return withDisplayName(reader, name, () => destination.close());
    }
    const { temporaryDirectory, signal, onFetchedBytes: onBytes } = options;
    const path = join(temporaryDirectory, `${temporaryPrefix}fetched-${platform.randomHex(8)}.zip`);
    const remove = () => platform.files.remove(path).catch(() => {});
    await fetchObject(platform, destination, object, path, {
      signal,
      maxBytes: Number.MAX_SAFE_INTEGER,
      ...(onBytes && { onBytes }),
    });
    try {
      const reader = await openZipReader(path, () => platform.files.openToRead(path));
      return withDisplayName(reader, name, async () => {
        await remove();
        await destination.close();
      });
    } catch (error) {
      await remove();
      throw errorWithDisplayName(error, path, name);
    }
  } catch (error) {
    await destination.close();
    throw fromFileError(error, `Reading the backup ${name}`);
  }
}
