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

/** Where backups are: an archive, by its name in a destination, or a whole destination. */
export interface Location {
  destination: Destination;
  object?: string | undefined;
}

export interface OpenReaderOptions {
  /** Where an archive that is no local file is fetched to. */
  temporaryDirectory: string;
  signal: AbortSignal;
  /** `total` is 0 while it is unknown. Called where an archive is fetched. */
  onFetchedBytes?(done: number, total: number): void;
}

/** Opens a location for reading. BACKUP_NOT_FOUND if nothing is there. Closing the reader closes the destination. */
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
        throw new HostError(
          "BACKUP_NOT_FOUND",
          `There is no backup at ${name}: nothing is there.`,
          { metadata: { path: name } },
        );
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
