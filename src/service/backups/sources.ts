import { listBackups } from "../../backup/inspect.js";
import { listTree } from "../../backup/list-tree.js";
import type { BackupListing } from "../../backup/listing.js";
import type { Report } from "../../backup/progress.js";
import type { ContainerReader } from "../../container/container.js";
import type { BackupSource, ContainerOptions } from "../../container/resolve.js";
import { requireCapability } from "../../destination/objects.js";

/** Opens a source. Reports the progress of its download, if it is remote. */
export function openSource(
  source: BackupSource,
  signal: AbortSignal,
  report: Report = () => {},
): Promise<ContainerReader> {
  const onFetchedBytes = (bytesDone: number, bytesTotal: number) =>
    report({ stage: "downloading", bytesDone, bytesTotal });
  return source.open({ onFetchedBytes }, signal);
}

/** Runs work on a source, then closes it. */
export async function withSource<T>(
  source: BackupSource,
  signal: AbortSignal,
  report: Report | undefined,
  work: (reader: ContainerReader) => Promise<T>,
): Promise<T> {
  const reader = await openSource(source, signal, report);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** Lists the backups at a source; with `recursive` also its subdirectories, unless it is an archive. */
export async function listSource(
  { platform }: Pick<ContainerOptions, "platform">,
  source: BackupSource,
  recursive: boolean,
  signal: AbortSignal,
): Promise<BackupListing[]> {
  const { destination, object } = source.location;
  if (recursive) {
    requireCapability(destination, "list", "list backups below a path");
    if (object === undefined) return listTree(platform, destination, { ...source.access, signal });
  }
  return withSource(source, signal, undefined, (reader) => listBackups(reader, source, signal));
}
