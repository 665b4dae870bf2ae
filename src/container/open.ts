import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import type { ContainerReader } from "./container.js";
import { openDirectoryReader } from "./directory.js";

/** Opens what is at a path to read backups from: a directory of files, or a ZIP. BACKUP_NOT_FOUND where there is nothing. */
export async function openContainer(
  platform: Pick<Platform, "files">,
  path: string,
): Promise<ContainerReader> {
  const status = await platform.files.status(path);
  if (status?.kind === "directory") return openDirectoryReader(platform, path);
  if (status?.kind === "file") {
    // Loaded for an archive alone: it takes as long as all else that a look at a directory needs.
    const { openZipReader } = await import("./zip-reader.js");
    return openZipReader(platform, path);
  }
  throw new HostError(
    "BACKUP_NOT_FOUND",
    status
      ? `${path} is neither a file nor a directory.`
      : `There is no backup at ${path}: nothing is there.`,
    {
      metadata: { path },
    },
  );
}
