import { pathToFileURL } from "node:url";
import { describeManifest, findManifest, listBackups } from "../backup/inspect.js";
import type { BackupDescription, BackupListing } from "../backup/model.js";
import type { ContainerReader } from "../container/container.js";
import { openContainer } from "../container/open.js";
import { filePathOf } from "../destination/file/uri.js";
import { fromFileError } from "../io/file-error.js";
import { systemPlatform } from "../io/platform.js";

/** A backup, and all that lie beside it. */
export interface Inspected {
  backup: BackupDescription;
  listed: BackupListing[];
}

/**
 * What DescribeBackup and ListBackups of offline.ts tell of a file: URI, without what the other methods load: a look at
 * a backup is over sooner than that.
 */
export async function inspectFile(
  uri: string,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Inspected> {
  return readFileBackup(filePathOf(uri), async (reader, place) => {
    const backup = describeManifest(place, await findManifest(reader, { name }, signal));
    return { backup, listed: await listBackups(reader, place, signal) };
  });
}

/** Reads what is at a path, and lets go of it afterwards. */
export async function readFileBackup<T>(
  path: string,
  work: (
    reader: ContainerReader,
    place: Pick<BackupDescription, "uri" | "container">,
  ) => Promise<T>,
): Promise<T> {
  const reader = await openContainer(systemPlatform, path).catch((error: unknown) => {
    throw fromFileError(error, `Reading the backup ${path}`);
  });
  try {
    return await work(reader, { uri: pathToFileURL(path).href, container: reader.kind });
  } finally {
    await reader.close();
  }
}
